"""Walking the tasks of a `MemoryBackend`; kept to the same contract as the ledger's indexes."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from gateway.backends.memory import MemoryBackend
from gateway.ports import End, Index, Place, Remembered, Run, Slice, Window


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

    async def settle(self, ends: Mapping[str, End], *, started: Mapping[str, str | None]) -> frozenset[str]:
        """Write down ends and starts."""
        first = {task_id for task_id, end in ends.items() if await self._backend.settle(task_id, end)}
        for task_id, worker in started.items():
            row = self._backend.rows.get(task_id)
            if row is not None and not (row.run and row.run.started_at):
                self._backend.rows[task_id] = replace(
                    row, run=replace(row.run or Run(), worker=worker, is_started=True)
                )
        return frozenset(first)

    async def take_ended(self, *, count: int) -> tuple[str, ...]:  # noqa: ARG002 - as the port has it
        """Take nothing: no worker writes here."""
        return ()


class MemoryHistory:
    """The indexes of a `MemoryBackend`, made anew for every look."""

    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend

    async def measure(self, indexes: Sequence[Index]) -> list[int]:
        """Tell how many launches each index holds."""
        return [len(self._list(each)) for each in indexes]

    async def walk(self, indexes: Sequence[Index], *, before: str, count: int, window: Window) -> list[list[Place]]:  # noqa: ARG002 - others may be there
        """Return the next launches of each index."""
        places = [self._list(each) for each in indexes]
        return [[each for each in some if not before or _is_behind(each, before)][:count] for some in places]

    def _list(self, index: Index) -> list[Place]:
        rows = list(self._backend.rows.items())
        if index.kind in {"open", "ended"}:
            ids = sorted((each for each, row in rows if _is_in(index, row)), reverse=True)
            return [Place(each, each) for each in ids]
        if index.kind == "chain":
            ids = [each for each, row in rows if row.entry.lineage and row.entry.lineage.root_id == index.name]
            return [Place(each, str(number)) for number, each in enumerate(ids)][::-1]
        return [Place(each, f"{number}-0.0") for number, (each, row) in enumerate(rows, 1) if _is_in(index, row)][::-1]


def _is_behind(place: Place, before: str) -> bool:
    """Tell whether a place comes after a position, that is, was launched before it."""
    if place.position == place.task_id:
        return place.task_id < before
    return int(place.position.partition("-")[0]) < int(before.partition("-")[0])


def _is_in(index: Index, row: Remembered) -> bool:
    match index.kind:
        case "type":
            return row.entry.task_type == index.name
        case "batch":
            return row.entry.batch_id == index.name
        case "open":
            return row.end is None
        case "ended":
            return row.end is not None and row.end.status == index.name
        case _:
            return True


def _slice(task_ids: Iterable[str], after: str, count: int) -> Slice:
    members = sorted(task_ids)
    left = [each for each in members if each > after][:count]
    return Slice(task_ids=tuple(left), following=left[-1] if len(left) == count else "", size=len(members))
