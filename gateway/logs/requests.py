"""One line for each request, at a cost that twelve thousand a second can bear: encoded at once, written together.

It must never hold what a caller sent, but for a request id of bounded shape: no path, no query, no header.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
import structlog
from msgspec import Struct

from gateway.logs.writer import LineWriter
from gateway.web.entrance import Seen

TOGETHER_S: Final = 0.05
"""Lines of so long a time leave in one write."""
_log = structlog.get_logger("gateway.requests")
_audit_log = structlog.get_logger("gateway.audit")
_DEED_HEAD: Final = b'{"event":"audit","level":"info","logger":"gateway.audit",'
_encode = msgspec.json.Encoder().encode


class _Line(Struct, frozen=True, kw_only=True, gc=False):
    """A line as JSON, with the members of all other logs first."""

    event: str = "request"
    level: str = "info"
    logger: str = "gateway.requests"
    timestamp: datetime
    request_id: str
    method: str
    route: str
    status: int
    code: str | None
    duration_ms: float
    task_id: str | None
    caller: str | None


class RequestLog:
    """Writes a line for each request."""

    def __init__(self, writer: LineWriter, *, is_json: bool) -> None:
        self.writer = writer
        self._is_json = is_json
        self._lines: list[bytes] = []

    def note(self, seen: Seen) -> None:
        """Write down what was seen of a request."""
        line = _Line(
            timestamp=datetime.now(UTC),
            request_id=seen.request_id,
            method=seen.method,
            route=seen.route,
            status=seen.status,
            code=seen.code,
            duration_ms=round(seen.duration_s * 1000, 3),
            task_id=seen.task_id,
            caller=seen.caller,
        )
        if self._is_json:
            self._gather(_encode(line))
        else:
            members = {name: getattr(line, name) for name in line.__struct_fields__[4:]}
            _log.info("request", **{name: value for name, value in members.items() if value is not None})

    def note_deeds(self, lines: Sequence[bytes]) -> None:
        """Write down records of the audit, each one JSON object."""
        for line in lines:
            if self._is_json:
                self._gather(_DEED_HEAD + line[1:])
            else:
                _audit_log.info("audit", **msgspec.json.decode(line))

    def _gather(self, line: bytes) -> None:
        if not self._lines:
            asyncio.get_running_loop().call_later(TOGETHER_S, self.flush)
        self._lines.append(line)

    def flush(self) -> None:
        """Let go of what was gathered."""
        lines, self._lines = self._lines, []
        if lines:
            self.writer.put(b"\n".join((*lines, b"")))

    def close(self) -> None:
        """Let go of the last lines, and wait a while for them to be read."""
        self.flush()
        self.writer.close()
