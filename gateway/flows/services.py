"""What the flows work with."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Never

from msgspec import Struct, field

from gateway.errors import BackendError, ForgottenTaskError, UnknownTaskError
from gateway.launch.task_id import is_minted_here, is_task_id
from gateway.ports import Changes, Feed, History, Ledger, Publisher, Remembered, Results, TaskLog, Workers
from gateway.status.record import ResultRecord, read_found

JUST_BEGUN = 0.9
"""A request that has so much of its time left has hardly begun."""


def read_clock() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


class Entropy:
    """Random bytes of the system, drawn in blocks: asking for a few each time costs more than the rest of a task id."""

    BLOCK = 4096

    def __init__(self) -> None:
        self._block = b""
        self._used = 0

    def __call__(self, count: int) -> bytes:
        """Return so many bytes, which were never returned before."""
        if self._used + count > len(self._block):
            self._block, self._used = os.urandom(self.BLOCK), 0
        self._used += count
        return self._block[self._used - count : self._used]


class Services(Struct, frozen=True, kw_only=True):
    """The ports of a process; the same for every catalog."""

    publisher: Publisher
    ledger: Ledger
    results: Results
    workers: Workers
    changes: Changes
    log: TaskLog
    history: History
    feed: Feed
    deadline_s: float = 2.0
    """Longest time that an answer may take which has nobody to wait for."""
    clock: Callable[[], datetime] = read_clock
    draw_entropy: Callable[[int], bytes] = field(default_factory=Entropy)

    def find_due(self) -> float:
        """Return the moment, by the loop's clock, when a request that begins now must have its answer."""
        return asyncio.get_running_loop().time() + self.deadline_s

    def is_just_begun(self, due: float) -> bool:
        """Tell whether hardly any of a request's time has been used."""
        return due - asyncio.get_running_loop().time() > self.deadline_s * JUST_BEGUN

    @asynccontextmanager
    async def in_time(self, due: float) -> AsyncIterator[None]:
        """Bound steps that launch nothing.

        Raises: BackendError when they were not done by `due`.
        """
        try:
            async with asyncio.timeout_at(due):
                yield
        except TimeoutError as error:
            raise BackendError("ledger, broker or result backend do not answer in time") from error

    async def remember(self, task_id: str) -> Remembered:
        """Return what the ledger knows of a task.

        Raises: UnknownTaskError; ForgottenTaskError when it was launched here, but its row has expired.
        """
        self.check_id(task_id)
        [remembered] = await self.ledger.find([task_id])
        return remembered if remembered is not None else await self.explain_absence(task_id)

    async def recall(self, task_id: str) -> tuple[Remembered, ResultRecord | None]:
        """Return what the ledger and the result backend know of a task, asked in one go.

        Raises: as `remember`.
        """
        self.check_id(task_id)
        asked, also_asked = self.ledger.find([task_id]), self.results.find([task_id])
        [remembered], [found] = await asked, await also_asked
        if remembered is None:
            remembered = await self.explain_absence(task_id)
        return remembered, None if found is None else read_found(found)

    def check_id(self, task_id: str) -> None:
        """Let nothing but a task id reach a backend.

        Raises: UnknownTaskError.
        """
        if not is_task_id(task_id):
            raise UnknownTaskError

    async def explain_absence(self, task_id: str) -> Never:
        """Say of a task that the ledger does not know whether it ever did.

        Raises: UnknownTaskError; ForgottenTaskError.
        """
        raise ForgottenTaskError if is_minted_here(task_id, identity=await self.ledger.identity()) else UnknownTaskError
