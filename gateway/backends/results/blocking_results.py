"""The results port over a reader that blocks: a bounded pool, one deadline, and the reader's errors in our words."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final, Protocol

from gateway.backends.blocking import BlockingCalls
from gateway.errors import ResultsUnavailableError
from gateway.ports import Found

THREADS: Final = 4
BACKLOG: Final = 256
TAIL_BYTES: Final = 4096
"""Of a record that is too large, so much of its end is passed on: what stands behind the result."""
_LOGIN: Final = ("password", "access denied", "authentication")
_BUSY: Final = ("locked", "timed out", "timeout")


class Reader(Protocol):
    """Reads the raw records of one result backend, from any thread."""

    def read(self, task_ids: Sequence[str]) -> list[bytes | None]:
        """Return the raw record of each task, in their order; raise whatever the backend's client raises."""

    def look(self) -> tuple[str, ...]:
        """Return when the backend answers, with what is odd about it; raise whatever its client raises."""

    def close(self) -> None:
        """Let go of every connection."""


class BlockingResults:
    """Reads records from a bounded pool of threads; nothing is ever published by such a backend."""

    def __init__(self, reader: Reader, *, deadline_s: float, max_bytes: int) -> None:
        """Take a reader; of a record larger than `max_bytes` only beginning and end are passed on."""
        self.name = "results"
        self.warnings: tuple[str, ...] = ()
        self._reader = reader
        self._max_bytes = max_bytes
        self._calls = BlockingCalls(
            size=THREADS,
            backlog=BACKLOG,
            deadline_s=deadline_s,
            name="results",
            what="the result backend",
            error=ResultsUnavailableError,
            blame=blame,
        )

    def find(self, task_ids: Sequence[str], *, max_bytes: int | None = None) -> "asyncio.Future[list[Found | None]]":
        """Ask for the raw records of tasks, read in one call."""
        most = self._max_bytes if max_bytes is None else min(max_bytes, self._max_bytes)
        asked = asyncio.ensure_future(self._find(task_ids, most))
        asked.add_done_callback(_retrieve)
        return asked

    async def _find(self, task_ids: Sequence[str], most: int) -> list[Found | None]:
        if not task_ids:
            return []
        raws = await self._calls.run(partial(self._reader.read, task_ids))
        return [None if raw is None else _cut(raw, most) for raw in raws]

    async def load(self, task_id: str) -> bytes | None:
        """Return a whole raw record, however large."""
        [raw] = await self._calls.run(partial(self._reader.read, [task_id]))
        return raw

    async def mark_asked(self, task_ids: Sequence[str]) -> None:
        """Write nothing: these backends are only read, and Celery may say too early that a task is revoked."""

    async def mark_revoked(self, task_ids: Sequence[str], *, at: datetime) -> None:
        """Write nothing: these backends are only read."""

    def channel_of(self, task_id: str) -> None:
        """Tell that nobody is told of changes."""

    async def check(self) -> None:
        """Return when the result backend answers."""
        self.warnings = await self._calls.run(self._reader.look)

    def close(self) -> None:
        """Let the threads go, and their connections."""
        self._calls.close()
        self._reader.close()


def _cut(raw: bytes, max_bytes: int) -> Found:
    if len(raw) <= max_bytes:
        return Found(head=raw, size=len(raw))
    return Found(head=raw[:max_bytes], tail=raw[-TAIL_BYTES:], size=len(raw))


def _retrieve(asked: "asyncio.Future[list[Found | None]]") -> None:
    if not asked.cancelled():
        asked.exception()  # whoever asked may have gone


def blame(error: Exception) -> ResultsUnavailableError:
    """Say in a few words what ails a result backend, without its address or any payload."""
    cause = getattr(error, "orig", None) or error.__cause__ or error
    words = str(cause).lower()
    if isinstance(cause, TimeoutError) or any(sign in words for sign in _BUSY):
        return ResultsUnavailableError("the result backend does not answer in time")
    if any(sign in words for sign in _LOGIN):
        return ResultsUnavailableError("the result backend refuses the password", reason="login")
    if isinstance(cause, OSError) or "connect" in words or "unable to open" in words:
        return ResultsUnavailableError("the result backend cannot be reached")
    # Each client raises classes of its own; their names are all that is safe to show.
    return ResultsUnavailableError(f"the result backend cannot be used ({type(cause).__name__})")
