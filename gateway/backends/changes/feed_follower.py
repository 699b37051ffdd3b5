"""The follower of all tasks: in every gateway, while somebody follows the feed, writes what it hears of any task into it.

What comes in: every record that the result backend publishes. What goes out: entries of the feed, in one order for all. What
is published while this gateway's connection is broken is written by the others; the log of a single task promises more.
"""

import asyncio
from typing import Final

import structlog

from gateway.backends.redis.feed import RedisFeed
from gateway.backends.redis.subscription import Subscription
from gateway.errors import BackendError

BACKLOG: Final = 10_000
"""So many records wait to be written; more are left to other gateways."""
_log = structlog.get_logger("gateway.changes")


class FeedFollower:
    """Writes the feed."""

    def __init__(self, feed: RedisFeed, records: Subscription, *, pattern: str) -> None:
        """`pattern` names the channels of all tasks, with `*` for the id."""
        self._feed = feed
        self._records = records
        self._pattern = pattern
        self._head = len(pattern) - 1
        self._is_hearing = feed.expect_follower()

    async def run(self) -> None:
        """Follow until nothing is heard any more, as when the connection broke: whoever runs this begins it anew."""
        heard: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue()

        def hear(channel: bytes, record: bytes | None) -> None:
            if record is None:
                self._is_hearing.clear()
                heard.put_nowait(None)
            elif heard.qsize() < BACKLOG:
                heard.put_nowait((channel[self._head :].decode(errors="replace"), record))

        try:
            at = await self._feed.open()
            await self._records.add_pattern(self._pattern, hear)
            self._is_hearing.set()
            while (said := await heard.get()) is not None:
                at = await self._feed.append(*said, at=at)
        except BackendError as error:
            _log.warning("follower_lost", task_id="*", detail=str(error))
        finally:
            self._is_hearing.clear()
            self._records.remove_pattern(self._pattern)
