"""From a task's log to the statuses that it went through: the same on every gateway, as nothing else is looked at. Pure."""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from gateway.launch.launch import LedgerEntry
from gateway.ports import LogEntry, Remembered
from gateway.status.interpreting import Witness, interpret
from gateway.status.record import ResultRecord, read_found
from gateway.status.status import TaskStatus


class Told(Struct, frozen=True):
    """One status that a task came to, by the entry of its log that brought it there."""

    entry_id: str
    status: TaskStatus


class Unfolding:
    """Applies the entries of a log to what was recorded at the launch, one after the other."""

    def __init__(self, entry: LedgerEntry, *, prefix: str) -> None:
        self._known = Remembered(entry=entry)
        self._record: ResultRecord | None = None
        self._witness = Witness(now=entry.launched_at, prefix=prefix)
        self._last: TaskStatus | None = None

    def apply(self, entries: Iterable[LogEntry]) -> Iterator[Told]:
        """Apply entries; yield each status that differs from the one before."""
        for entry in entries:
            self._learn(entry)
            status = interpret(self._known, self._record, self._witness)
            if status != self._last:
                self._last = status
                yield Told(entry.entry_id, status)

    def _learn(self, entry: LogEntry) -> None:
        known = self._known
        self._known = replace(
            known,
            run=entry.run or known.run,
            revocation=entry.revocation or known.revocation,
            end=known.end or entry.end,
        )
        if entry.record is not None:
            self._record = read_found(entry.record)


def is_behind(entry_id: str, after: str | None) -> bool:
    """Tell whether an entry comes after the one that a client has seen."""
    return after is None or _read_id(entry_id) > _read_id(after)


def _read_id(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)
