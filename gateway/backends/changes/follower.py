"""The follower: in every gateway, writes what it hears of followed tasks into their logs.

What comes in: the ids of tasks that somebody streams, on any gateway, and the records published of them. What goes out: log
entries, in one order for all. All gateways follow all such tasks, so that the death of one loses no word; the log itself
sees to it that what all of them hear stands in it once.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final

import structlog

from gateway.backends.changes.feed_follower import FeedFollower
from gateway.backends.changes.hub import ChangeHub
from gateway.backends.changes.watch import WORD
from gateway.backends.redis.log import RedisTaskLog, digest
from gateway.backends.redis.subscription import Subscription
from gateway.errors import BackendError
from gateway.ports import ALL_TASKS, Found, Results

REFRESH_S: Final = 10.0
"""Seconds between two looks at which tasks are followed, beside the announcements."""
PAUSE_S: Final = 0.5
"""Pause before the next of them all the same: what fails at once would be begun anew all the time."""
_log = structlog.get_logger("gateway.changes")


class Follower:
    """Follows every task that somebody streams."""

    def __init__(
        self,
        hub: ChangeHub,
        log: RedisTaskLog,
        results: Results,
        announcements: Subscription,
        *,
        feed: FeedFollower | None,
    ) -> None:
        """`feed` follows all tasks, where the result backend tells of them."""
        self._feed = feed
        self._hub = hub
        self._task_log = log
        self._results = results
        self._announcements = announcements
        self._following: dict[str, asyncio.Task[None]] = {}
        self._announced: set[str] = set()
        """What was heard of while the tasks that are to be followed are asked for: the answer may be older."""
        self._looking = asyncio.Event()
        self._is_blind = False

    async def run(self) -> None:
        """Follow until cancelled."""
        try:
            while True:
                self._looking.clear()
                await self._try_to_look()
                await asyncio.sleep(PAUSE_S)
                with suppress(TimeoutError):
                    async with asyncio.timeout(REFRESH_S):
                        await self._looking.wait()
        finally:
            for task in self._following.values():
                task.cancel()

    async def _try_to_look(self) -> None:
        """Look at which tasks are followed. An outage is logged once."""
        try:
            await self._announcements.add(self._task_log.announcements, self._hear_announcement)
            self._announced.clear()
            followed = await self._task_log.find_followed()
            self._keep_to(self._announced.union(followed))
            self._is_blind = False
        except BackendError as error:
            if not self._is_blind:
                _log.warning("follower_blind", detail=str(error))
            self._is_blind = True
            self._looking.set()

    def _hear_announcement(self, task_id: bytes | None) -> None:
        """Begin to follow a task; None: announcements may have been missed."""
        if task_id is None:
            self._looking.set()
        else:
            self._announced.add(task_id.decode())
            self._begin(task_id.decode())

    def _keep_to(self, wanted: set[str]) -> None:
        for task_id in self._following.keys() - wanted:
            self._following.pop(task_id).cancel()
        for task_id in wanted:
            self._begin(task_id)

    def _begin(self, task_id: str) -> None:
        following = self._following.get(task_id)
        if following is not None and not following.done():
            return
        if task_id != ALL_TASKS:
            self._following[task_id] = asyncio.create_task(self._follow(task_id))
        elif self._feed is not None:
            self._following[task_id] = asyncio.create_task(self._follow_all(self._feed))

    async def _follow_all(self, feed: FeedFollower) -> None:
        await feed.run()
        self._looking.set()  # which begins anew

    async def _follow(self, task_id: str) -> None:
        """Log what is heard of one task, after what was there before."""
        heard: deque[bytes | None] = deque()
        is_heard = asyncio.Event()

        def hear(record: bytes | None) -> None:
            if record != WORD:  # the ledger logs its own news
                heard.append(record)
                is_heard.set()

        try:
            at = await self._task_log.find_end(task_id)  # before listening: what is heard is logged behind it
            await self._hub.listen(task_id, hear)
            at = await self._catch_up(task_id, heard, at)
            while True:
                await is_heard.wait()
                is_heard.clear()
                at = await self._log_heard(task_id, heard, at)
        except BackendError as error:
            _log.warning("follower_lost", task_id=task_id, detail=str(error))
            self._looking.set()  # which begins anew
        finally:
            self._hub.leave(task_id, hear)

    async def _catch_up(self, task_id: str, heard: deque[bytes | None], at: str) -> str:
        """Log the record as it stands, unless it was heard meanwhile, in its place."""
        [found] = await self._results.find([task_id])
        await self._hub.fence()  # whatever was published before that look has been heard now
        if found is not None and all(raw is None or digest(_find(raw)) != digest(found) for raw in heard):
            at = await self._task_log.append(task_id, found, at=at, is_inclusive=at != "0")
        return await self._log_heard(task_id, heard, at)

    async def _log_heard(self, task_id: str, heard: deque[bytes | None], at: str) -> str:
        while heard:
            raw = heard.popleft()
            if raw is not None:
                at = await self._task_log.append(task_id, _find(raw), at=at, is_inclusive=False)
            else:
                at = await self._log_present(task_id, at)
        return at

    async def _log_present(self, task_id: str, at: str) -> str:
        """Log the record as it stands: something may have been missed."""
        [found] = await self._results.find([task_id])
        if found is None:
            return at
        return await self._task_log.append(task_id, found, at=at, is_inclusive=at != "0")


def _find(raw: bytes) -> Found:
    return Found(head=raw, size=len(raw))
