"""The hub: who listens to which task, over sources that are shared by all.

What comes in: news of tasks, from the ledger and from the result backend. What goes out: the same to each listener of the
task, at once and without waiting for anybody.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

from gateway.backends.changes.watch import WORD, Hear, Watch
from gateway.backends.redis.subscription import Subscription


class Source(Protocol):
    """Where news of tasks comes from."""

    async def follow(self, task_id: str, hear: Hear) -> None:
        """Pass on news of a task from now on: its new record, `WORD` for news of the ledger, None if some was missed."""

    def leave(self, task_id: str) -> None:
        """Pass on no more."""

    async def fence(self) -> None:
        """Return when all news from before this has been passed on."""


class RedisSource:
    """The channels of a Redis that tell of tasks."""

    def __init__(self, subscription: Subscription, *, channel_of: Callable[[str], str], carries_records: bool) -> None:
        """`channel_of` names the channel of a task; what is published there is its record, or just a word."""
        self._subscription = subscription
        self._channel_of = channel_of
        self._carries_records = carries_records

    async def follow(self, task_id: str, hear: Hear) -> None:
        """Subscribe to the channel of a task."""
        await self._subscription.add(
            self._channel_of(task_id), hear if self._carries_records else partial(_reword, hear)
        )

    def leave(self, task_id: str) -> None:
        """Unsubscribe."""
        self._subscription.remove(self._channel_of(task_id))

    async def fence(self) -> None:
        """Ask the subscription's connection for an answer, which comes behind all news."""
        await self._subscription.fence()


class ChangeHub:
    """Passes news of tasks to those who listen."""

    def __init__(self, *sources: Source) -> None:
        self._sources: Sequence[Source] = sources
        self._topics: dict[str, set[Hear]] = {}
        self._watches: set[Watch] = set()

    @asynccontextmanager
    async def watch(self, task_id: str) -> AsyncIterator[Watch]:
        """Watch a task: no change after this has been entered is missed.

        Raises: BackendError when a source does not answer.
        """
        watch = Watch()
        self._watches.add(watch)
        try:
            await self.listen(task_id, watch.hear)
            yield watch
        finally:
            self._watches.discard(watch)
            self.leave(task_id, watch.hear)

    async def listen(self, task_id: str, hear: Hear) -> None:
        """Let somebody hear all news of a task.

        Raises: BackendError when a source does not answer.
        """
        self._topics.setdefault(task_id, set()).add(hear)
        for source in self._sources:
            await source.follow(task_id, partial(self._pass_on, task_id))

    def leave(self, task_id: str, hear: Hear) -> None:
        """Let somebody hear no more."""
        hearers = self._topics.get(task_id, set())
        hearers.discard(hear)
        if not hearers and self._topics.pop(task_id, None) is not None:
            for source in self._sources:
                source.leave(task_id)

    async def fence(self) -> None:
        """Return when all news from before this has been heard.

        Raises: BackendError when a source does not answer.
        """
        for source in self._sources:
            await source.fence()

    def stop(self) -> None:
        """Let everybody who waits wait no more: the process is stopping."""
        for watch in list(self._watches):
            watch.stop()

    def _pass_on(self, task_id: str, record: bytes | None) -> None:
        for hear in list(self._topics.get(task_id, ())):
            hear(record)


def _reword(hear: Hear, said: bytes | None) -> None:
    hear(None if said is None else WORD)
