"""What a caller wants to find, and whether a task is one of these."""

from datetime import datetime
from hashlib import blake2b

import msgspec
from msgspec import Struct

from gateway.launch.launch import LedgerEntry
from gateway.launch.task_id import read_ms
from gateway.ports import Window
from gateway.status.lifecycle import FINAL

_DIGEST_BYTES = 6


class Filters(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What has to be true of a task, all of it; None where nothing was said."""

    task_type: str | None = None
    status: str | None = None
    is_unfinished: bool = False
    """Not ended, whatever its status is called."""
    since: datetime | None = None
    """Launched then or later."""
    until: datetime | None = None
    """Launched before."""
    retry_of: str | None = None
    batch: str | None = None


def is_in_window(window: Window, task_id: str) -> bool:
    """Tell by its id alone whether a task may have been launched in time."""
    ms = read_ms(task_id)
    since_ms, until_ms = window.since_ms, window.until_ms
    return (since_ms is None or ms >= since_ms) and (until_ms is None or ms <= until_ms)


def is_wanted(filters: Filters, entry: LedgerEntry, status: str) -> bool:
    """Tell whether a task is what is looked for."""
    return (
        filters.task_type in {None, entry.task_type}
        and filters.status in {None, status}
        and not (filters.is_unfinished and status in FINAL)
        and (filters.since is None or entry.launched_at >= filters.since)
        and (filters.until is None or entry.launched_at < filters.until)
        and filters.batch in {None, entry.batch_id}
        and filters.retry_of in {None, entry.lineage.retry_of if entry.lineage else ""}
    )


def make_window(filters: Filters) -> Window:
    """Bound when tasks were launched, to the millisecond."""
    since, until = filters.since, filters.until
    return Window(since_ms=None if since is None else _to_ms(since), until_ms=None if until is None else _to_ms(until))


def _to_ms(moment: datetime) -> int:
    """Return a moment as task ids count it: whole milliseconds since 1970, within what 48 bits hold."""
    return min(max(0, int(moment.timestamp() * 1000)), 2**48 - 1)


def digest(filters: Filters) -> str:
    """Tell filters apart, so that no cursor is used with others than its own."""
    return blake2b(msgspec.json.encode(filters), digest_size=_DIGEST_BYTES).hexdigest()
