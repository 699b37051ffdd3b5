"""How answers leave: a whole one in one write, and all that becomes known in one turn of the loop together.

uvicorn writes head and body one after the other, and looks twice at each header field with a regular expression; uvloop passes
each write on at once. Two writes are two system calls here and two wake-ups at the client; and answers that become known
together, as those of one round trip to Redis do, wake the client one by one. That was an eighth of all that a launch costs.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from gateway.web.answers import CLOSE, WHOLE, send_split

MAX_HELD_BYTES = 65_536
"""Beyond that the rest of a turn does not wait, so that a slow client is felt."""
_log = structlog.get_logger("gateway.web")


class Sender:
    """Sends one answer: it writes a whole one itself, and leaves every other to uvicorn."""

    __slots__ = ("_cycle", "_done")

    def __init__(self, cycle: RequestResponseCycle, done: asyncio.Future[None]) -> None:
        """`done` is a future that is: what was written has not to be waited for."""
        self._cycle = cycle
        self._done = done

    def send(self, message: Any) -> Awaitable[None]:
        """Take a message."""
        if message["type"] != WHOLE:
            return self._cycle.send(message)
        if CLOSE in message["headers"] or not self._is_plain():
            return send_split(message, self._cycle.send)
        self._write(message)
        return self._done

    def _is_plain(self) -> bool:
        """Tell whether there is nothing that uvicorn has to decide; a client that is slow must be felt."""
        cycle = self._cycle
        return cycle.keep_alive and not (
            cycle.disconnected
            or cycle.response_started
            or cycle.access_log
            or cycle.flow.write_paused
            or cycle.scope["method"] == "HEAD"
        )

    def _write(self, message: Any) -> None:
        """Write an answer, whose fields are known to be no lines of their own."""
        cycle, body = self._cycle, message["body"]
        fields = [*cycle.default_headers, *message["headers"], (b"content-length", b"%d" % len(body))]
        head = b"\r\n".join(map(b": ".join, fields))
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(b"%b%b\r\n\r\n%b" % (STATUS_LINE[message["status"]], head, body))
        cycle.message_event.set()
        cycle.on_response()


class Turn:
    """One turn of a loop: what was written in it leaves at its end, by one callback for all connections."""

    def __init__(self) -> None:
        self._written: list[Gathering] = []

    def add(self, transport: "Gathering", loop: asyncio.AbstractEventLoop) -> None:
        """Let go at the end of this turn of what a transport holds."""
        if not self._written:
            loop.call_soon(self._end)
        self._written.append(transport)

    def _end(self) -> None:
        written, self._written = self._written, []
        for each in written:
            try:
                each.flush()
            except Exception as error:  # noqa: BLE001 - the others wait for theirs
                _log.error("answer_unwritten", exc_info=error)


class Gathering:
    """A transport that gathers what is written during one turn of the loop."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, turn: Turn) -> None:
        self._transport = transport
        self._loop = loop
        self._turn = turn
        self._held = b""
        self.is_closing = transport.is_closing  # asked at every answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Take what is to be written, soon."""
        if not self._held:
            self._turn.add(self, self._loop)
            self._held = data
        else:
            self._held += data
        if len(self._held) > MAX_HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():
            self._transport.write(held)

    def close(self) -> None:
        """Close the connection, behind what was gathered."""
        self.flush()
        self._transport.close()
