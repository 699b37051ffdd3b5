"""What the flows work with."""

import os
from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct, field

from gateway.errors import ForgottenTaskError, UnknownTaskError
from gateway.launch.task_id import is_minted_here, is_task_id
from gateway.ports import Ledger, Publisher, Remembered, Results, Workers
from gateway.status.record import ResultRecord, read_record


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
    clock: Callable[[], datetime] = read_clock
    draw_entropy: Callable[[int], bytes] = field(default_factory=Entropy)

    async def remember(self, task_id: str) -> Remembered:
        """Return what the ledger knows of a task.

        Raises: UnknownTaskError; ForgottenTaskError when it was launched here, but its row has expired.
        """
        if not is_task_id(task_id):
            raise UnknownTaskError
        remembered = await self.ledger.find(task_id)
        if remembered is not None:
            return remembered
        if is_minted_here(task_id, identity=await self.ledger.identity()):
            raise ForgottenTaskError
        raise UnknownTaskError

    async def read(self, task_id: str) -> ResultRecord | None:
        """Return what the result backend holds of a task, or None."""
        [raw] = await self.results.find([task_id])
        return None if raw is None else read_record(raw)
