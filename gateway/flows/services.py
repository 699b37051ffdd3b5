"""What the flows work with."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from io import BytesIO

from msgspec import Struct, field

from gateway.catalog.view import View
from gateway.errors import BackendError, ForgottenTaskError, UnknownTaskError
from gateway.launch.task_id import is_minted_here, is_task_id
from gateway.ports import Audit, Changes, Feed, History, Ledger, Publisher, Remembered, Results, Tally, TaskLog, Workers
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
        self._block = BytesIO()

    def __call__(self, count: int) -> bytes:
        """Return so many bytes, which were never returned before."""
        drawn = self._block.read(count)
        if len(drawn) < count:
            self._block = BytesIO(os.urandom(self.BLOCK))
            drawn = self._block.read(count)
        return drawn


class LoopClock:
    """The clock of the loop that runs; asked for once, as finding the loop takes a system call."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self) -> float:
        """Return its present time, in seconds."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop.time()


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
    tally: Tally
    audit: Audit
    deadline_s: float = 2.0
    """Longest time that an answer may take which has nobody to wait for."""
    clock: Callable[[], datetime] = read_clock
    draw_entropy: Callable[[int], bytes] = field(default_factory=Entropy)
    loop_time: Callable[[], float] = field(default_factory=LoopClock)

    def find_due(self) -> float:
        """Return the moment, by the loop's clock, when a request that begins now must have its answer."""
        return self.loop_time() + self.deadline_s

    def is_just_begun(self, due: float) -> bool:
        """Tell whether hardly any of a request's time has been used."""
        return due - self.loop_time() > self.deadline_s * JUST_BEGUN

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

    async def remember(self, task_id: str, view: View) -> Remembered:
        """Return what the ledger knows of a task that the caller may read.

        Raises: UnknownTaskError, also for one that the caller may not read; ForgottenTaskError when it was launched here,
            but its row has expired.
        """
        self.check_id(task_id)
        [remembered] = await self.ledger.find([task_id])
        return await self._show(task_id, remembered, view)

    async def recall(self, task_id: str, view: View) -> tuple[Remembered, ResultRecord | None]:
        """Return what the ledger and the result backend know of a task, asked in one go.

        Raises: as `remember`.
        """
        self.check_id(task_id)
        asked, also_asked = self.ledger.find([task_id]), self.results.find([task_id])
        [row], [found] = await asked, await also_asked
        remembered = await self._show(task_id, row, view)
        return remembered, None if found is None else read_found(found)

    def check_id(self, task_id: str) -> None:
        """Let nothing but a task id reach a backend.

        Raises: UnknownTaskError.
        """
        if not is_task_id(task_id):
            raise UnknownTaskError

    async def _show(self, task_id: str, remembered: Remembered | None, view: View) -> Remembered:
        """Hand out what the caller may read; of all else they learn not even whether it is there.

        Raises: UnknownTaskError; ForgottenTaskError to those who may read all there is, as nobody knows of which type it was.
        """
        if remembered is not None and view.may("read", remembered.entry.task_type):
            return remembered
        is_forgotten = is_minted_here(task_id, identity=await self.ledger.identity())
        raise ForgottenTaskError if remembered is None and is_forgotten and view.reads_all else UnknownTaskError
