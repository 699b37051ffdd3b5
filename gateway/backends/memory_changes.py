"""Changes and logs in memory: whoever plays the worker writes records through these, and who waits is told."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.backends.changes.watch import WORD, Watch
from gateway.backends.memory import MemoryBackend
from gateway.ports import ALL_TASKS, FeedEntry, Found, LogEntry
from gateway.status.record import read_record


class MemoryChanges:
    """Changes and task logs of a `MemoryBackend`."""

    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend
        self._watches: dict[str, set[Watch]] = {}
        self._logs: dict[str, list[LogEntry]] = {}
        self.feed = MemoryFeed()
        self._arrived = asyncio.Event()
        self._read: dict[str, asyncio.Event] = {}

    def write(self, task_id: str, raw: bytes) -> None:
        """Write a record as a worker would, and tell of it."""
        self._backend.records[task_id] = raw
        if task_id in self._logs:
            self._append(task_id, Found(head=raw, size=len(raw)))
        self.feed.append(task_id, read_record(raw).status)
        for watch in (*self._watches.get(task_id, ()), *self._watches.get(ALL_TASKS, ())):
            watch.hear(WORD)

    def count_watches(self) -> int:
        """Count those who wait."""
        return sum(len(watches) for watches in self._watches.values())

    async def until_watched(self, count: int = 1) -> None:
        """Return once so many wait."""
        while self.count_watches() < count:
            self._arrived.clear()
            await self._arrived.wait()

    async def wait_for_follower(self) -> None:
        """Wait for nobody: whoever writes a record appends it himself."""

    async def until_read(self, task_id: str) -> None:
        """Return once somebody has read the log of a task."""
        await self._read.setdefault(task_id, asyncio.Event()).wait()

    @asynccontextmanager
    async def watch(self, task_id: str) -> AsyncIterator[Watch]:
        """Watch a task."""
        watch = Watch()
        self._watches.setdefault(task_id, set()).add(watch)
        self._arrived.set()
        try:
            yield watch
        finally:
            self._watches[task_id].discard(watch)

    def stop(self) -> None:
        """Let everybody who waits wait no more."""
        for watches in self._watches.values():
            for watch in watches:
                watch.stop()

    async def open(self, task_id: str, record: Found | None) -> None:
        """Begin the log of a task."""
        if task_id not in self._logs:
            self._logs[task_id] = []
            self._append(task_id, record)

    async def read(self, task_id: str, after: str) -> list[LogEntry]:
        """Return the entries behind one."""
        self._read.setdefault(task_id, asyncio.Event()).set()
        return self._logs.get(task_id, [])[int(after.partition("-")[0]) :]

    def _append(self, task_id: str, record: Found | None) -> None:
        log = self._logs[task_id]
        log.append(LogEntry(entry_id=f"{len(log) + 1}-0", record=record))


class MemoryFeed:
    """The feed of all tasks; launches are not in it, as nothing here publishes them."""

    def __init__(self) -> None:
        self._entries: list[FeedEntry] = []
        self._reading = asyncio.Condition()
        self._readers: Counter[int] = Counter()
        """How often somebody asked for what comes behind so many entries."""

    def append(self, task_id: str, status: str) -> None:
        """Write a status."""
        self._entries.append(FeedEntry(entry_id=f"{len(self._entries) + 1}-0", task_id=task_id, status=status))

    async def open(self) -> str:
        """Return the id of the last entry."""
        return f"{len(self._entries)}-0"

    async def wait_for_follower(self) -> None:
        """Wait for nobody: whoever writes a record appends it himself."""

    async def until_read(self, count: int, *, by: int) -> None:
        """Return once so many readers have read so many entries."""
        async with self._reading:
            await self._reading.wait_for(lambda: self._readers[count] >= by)

    async def read(self, after: str) -> list[FeedEntry]:
        """Return the entries behind one."""
        async with self._reading:
            self._readers[int(after.partition("-")[0])] += 1
            self._reading.notify_all()
        return self._entries[int(after.partition("-")[0]) :]

    async def read_back(self, until: str) -> list[FeedEntry]:
        """Return the entries up to one."""
        return self._entries[: int(until.partition("-")[0])]
