"""Walking the tasks of a `MemoryBackend`; kept to the same contract as the ledger's indexes."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from gateway.backends.memory import MemoryBackend
from gateway.ports import End, Run, Slice


class MemoryOpenTasks:
    """The open tasks of a `MemoryBackend`, all of which belong to this process."""

    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend

    async def take(self, after: str, *, count: int) -> Slice | None:
        """Return the next open tasks behind one."""
        rows = self._backend.rows
        return _slice((task_id for task_id, row in rows.items() if row.end is None), after, count)

    async def trim(self, status: str, after: str, *, count: int) -> Slice | None:
        """Return the next tasks that ended with a status; what expires is gone at once."""
        rows = self._backend.rows.items()
        return _slice((task_id for task_id, row in rows if row.end and row.end.status == status), after, count)

    async def settle(self, ends: Mapping[str, End], *, started: Mapping[str, str | None]) -> bool:
        """Write down ends and starts."""
        for task_id, end in ends.items():
            await self._backend.settle(task_id, end)
        for task_id, worker in started.items():
            row = self._backend.rows.get(task_id)
            if row is not None and not (row.run and row.run.started_at):
                self._backend.rows[task_id] = replace(
                    row, run=replace(row.run or Run(), worker=worker, is_started=True)
                )
        return True


def _slice(task_ids: Iterable[str], after: str, count: int) -> Slice:
    members = sorted(task_ids)
    left = [each for each in members if each > after][:count]
    return Slice(task_ids=tuple(left), following=left[-1] if len(left) == count else "", size=len(members))
