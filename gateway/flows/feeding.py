"""The feed of all tasks: every status that any of them comes to, as it comes."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from msgspec import Struct

from gateway.catalog.view import View
from gateway.flows.services import Services
from gateway.flows.waiting import ASK_AGAIN_S, HEARTBEAT_S
from gateway.ports import FeedEntry, Watch
from gateway.status.lifecycle import is_news

REMEMBERED: Final = 10_000
"""Tasks whose type and last status a stream remembers."""


class TaskChange(Struct, frozen=True, kw_only=True):
    """One status that a task came to."""

    task_id: str
    task_type: str
    status: str
    at: datetime
    """When the ledger heard of it."""


class FeedEvent(Struct, frozen=True, kw_only=True):
    """One event of the feed."""

    kind: Literal["status", "heartbeat", "bye"]
    entry_id: str = ""
    change: TaskChange | None = None


async def stream_all(
    watch: Watch,
    view: View,
    services: Services,
    *,
    task_type: str | None,
    after: str | None,
    heartbeat_s: float = HEARTBEAT_S,
) -> AsyncGenerator[FeedEvent]:
    """Tell every status of every task that the caller may read, or of those of a type, from now on or behind the event that the client has seen.

    Shape: a heartbeat says first that nothing is missed from here on, but for what is told while no gateway has a connection to
        the result backend; `bye` ends the stream, when the watch was stopped.
    Raises: BackendError at any time.
    """
    asked_at, at = asyncio.get_running_loop().time(), await services.feed.open()
    await services.feed.wait_for_follower()
    known = _Known(services)
    if after is not None:
        known.note(await services.feed.read_back(after))
        at = after
    yield FeedEvent(kind="heartbeat")
    while True:
        if asyncio.get_running_loop().time() - asked_at > ASK_AGAIN_S:
            asked_at, _ = asyncio.get_running_loop().time(), await services.feed.open()
        entries = await services.feed.read(at)
        at = entries[-1].entry_id if entries else at
        for entry, kind in await known.learn(entries):
            if task_type in {None, kind} and view.may("read", kind):
                yield FeedEvent(kind="status", entry_id=entry.entry_id, change=_describe(entry, kind))
        if entries:
            continue
        match await watch.wait(heartbeat_s):
            case "stopped":
                yield FeedEvent(kind="bye")
                return
            case "none":
                yield FeedEvent(kind="heartbeat")


class _Known:
    """What a stream knows of the tasks that it has told of: their types, and how far they have come."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._types: OrderedDict[str, str | None] = OrderedDict()
        self._statuses: OrderedDict[str, str] = OrderedDict()

    def note(self, entries: Sequence[FeedEntry]) -> list[FeedEntry]:
        """Note entries; return those that are news: the ledger and the result backend both tell of an end."""
        news = []
        for entry in entries:
            last = self._statuses.get(entry.task_id)
            if is_news(entry.status, after=last):
                self._statuses[entry.task_id] = entry.status
                news.append(entry)
        _shorten(self._statuses)
        return news

    async def learn(self, entries: Sequence[FeedEntry]) -> list[tuple[FeedEntry, str]]:
        """Return the news among entries, each with the type of its task; tasks of other ledgers are left out."""
        news = self.note(entries)
        unknown = list({entry.task_id for entry in news} - self._types.keys())
        for task_id, remembered in zip(unknown, await self._services.ledger.find(unknown), strict=True):
            self._types[task_id] = None if remembered is None else remembered.entry.task_type
        told = [(entry, kind) for entry in news if (kind := self._types[entry.task_id]) is not None]
        _shorten(self._types)
        return told


def _shorten(known: OrderedDict[str, str] | OrderedDict[str, str | None]) -> None:
    while len(known) > REMEMBERED:
        known.popitem(last=False)


def _describe(entry: FeedEntry, task_type: str) -> TaskChange:
    milliseconds = int(entry.entry_id.partition("-")[0])
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return TaskChange(task_id=entry.task_id, task_type=task_type, status=entry.status, at=at)
