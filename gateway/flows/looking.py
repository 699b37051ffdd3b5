"""A look at many tasks at once: what the ledger holds of each, and of those that have not ended Celery's record."""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from gateway.flows.services import Services
from gateway.ports import Found, Remembered
from gateway.status.lifecycle import WITH_EXCEPTION, choose_status
from gateway.status.record import ResultRecord, read_found

AT_ONCE: Final = 100
"""Tasks of one read: more would hold up whoever else waits for Redis, or for this process."""
BRIEF_BYTES: Final = 8192
"""A record of that size is read whole; of a larger one its beginning and its end tell the status."""


class Look(Struct, frozen=True):
    """One task as it is seen."""

    remembered: Remembered
    record: ResultRecord | None
    """Not asked for when the ledger knows the end."""
    status: str


async def look(task_ids: Sequence[str], services: Services) -> list[Look | None]:
    """Look at tasks, in their order; None for each that is not remembered.

    Raises: BackendError.
    """
    looks: list[Look | None] = []
    for some in _batch(task_ids):
        looks += await _look_at_some(some, services)
    return looks


async def _look_at_some(task_ids: Sequence[str], services: Services) -> list[Look | None]:
    rows = await services.ledger.find(task_ids)
    unsettled = [row.entry.task_id for row in rows if row is not None and row.end is None]
    records = await _read_briefly(unsettled, services) if unsettled else {}
    looks: list[Look | None] = []
    for remembered in rows:
        if remembered is None:
            looks.append(None)
            continue
        record = records.get(remembered.entry.task_id)
        looks.append(Look(remembered, record, choose_status(remembered, record)))
    return looks


async def _read_briefly(task_ids: Sequence[str], services: Services) -> dict[str, ResultRecord]:
    """Read records without their results where these are large."""
    found = await services.results.find(task_ids, max_bytes=BRIEF_BYTES)
    records = _read(task_ids, found)
    # Why a task failed stands where a result would; and what looks garbled may only have been cut.
    cut = [
        each for each, raw in zip(task_ids, found, strict=True) if raw and not raw.is_whole and _is_vague(records[each])
    ]
    return records | _read(cut, await services.results.find(cut)) if cut else records


def _read(task_ids: Iterable[str], found: Iterable[Found | None]) -> dict[str, ResultRecord]:
    pairs = zip(task_ids, found, strict=True)
    return {task_id: read_found(raw) for task_id, raw in pairs if raw is not None}


def _is_vague(record: ResultRecord) -> bool:
    return not record.is_readable or record.status in WITH_EXCEPTION


def _batch(task_ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (task_ids[at : at + AT_ONCE] for at in range(0, len(task_ids), AT_ONCE))
