"""The feed of all tasks, while somebody follows it: one Redis stream in the ledger, the same for all gateways."""

import asyncio
from typing import Any, Final

from gateway.backends.redis.log import FOLLOW_S, KEEP_S, digest
from gateway.backends.redis.scripts import load_script
from gateway.backends.redis.trips import SharedTrips, await_ledger
from gateway.errors import ResultsUnavailableError
from gateway.ports import FeedEntry, Found
from gateway.status.record import read_found

OPEN: Final = load_script("feed_open")
APPEND: Final = load_script("feed_append")
AT_ONCE: Final = 500
"""Entries of one read."""
FOLLOWER_S: Final = 2.0
"""So long somebody who opens the feed waits for the follower of its process."""


class RedisFeed:
    """Reads and writes the feed."""

    def __init__(self, trips: SharedTrips, *, prefix: str) -> None:
        self._trips = trips
        self._prefix = prefix
        self._is_followed: asyncio.Event | None = None

    def expect_follower(self) -> asyncio.Event:
        """Return what a follower of this process sets while it hears every record."""
        self._is_followed = asyncio.Event()
        return self._is_followed

    async def wait_for_follower(self) -> None:
        """Wait until a follower of this process hears every record; not at all where there will be none.

        Raises: ResultsUnavailableError when none does in time: nobody could promise that nothing is missed.
        """
        if self._is_followed is None:
            return
        try:
            async with asyncio.timeout(FOLLOWER_S):
                await self._is_followed.wait()
        except TimeoutError as error:
            raise ResultsUnavailableError("the result backend is not heard yet") from error

    async def open(self) -> str:
        """Have the feed written, for a while; return the id of its last entry."""
        return _decode(await self._ask("EVAL", OPEN, 0, self._prefix, KEEP_S * 1000, FOLLOW_S * 1000))

    async def read(self, after: str) -> list[FeedEntry]:
        """Return the next entries behind one."""
        return _read(await self._ask("XRANGE", f"{self._prefix}feed", f"({after}", "+", "COUNT", AT_ONCE))

    async def read_back(self, until: str) -> list[FeedEntry]:
        """Return the last entries up to one, itself among them."""
        entries = _read(await self._ask("XREVRANGE", f"{self._prefix}feed", until, "-", "COUNT", AT_ONCE))
        return entries[::-1]

    async def append(self, task_id: str, raw: bytes, *, at: str) -> str:
        """Write what was heard of a task, unless another gateway has; return where in the feed the caller stands now."""
        found = Found(head=raw, size=len(raw))
        arguments = (self._prefix, at, f"{task_id}:{digest(found)}", task_id, read_found(found).status)
        return _decode(await self._ask("EVAL", APPEND, 0, *arguments))

    async def _ask(self, *command: Any) -> Any:
        [reply] = await await_ledger(self._trips.ask(command))
        return reply


def _read(entries: list[tuple[bytes, list[bytes]]]) -> list[FeedEntry]:
    found = []
    for entry_id, flat in entries:
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        if fields[b"i"]:
            found.append(
                FeedEntry(entry_id=_decode(entry_id), task_id=_decode(fields[b"i"]), status=_decode(fields[b"s"]))
            )
    return found


def _decode(raw: bytes) -> str:
    return raw.decode(errors="replace")
