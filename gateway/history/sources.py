"""Where to look: of all indexes that hold every task that is wanted, the one with the fewest others.

What comes in: filters and sizes. What goes out: a source, which is one index or several that are read as one. Streams hold
launches in their order; `open` and `ended:<status>` together hold whatever did not end in SUCCESS, by id.
"""

from collections.abc import Sequence
from heapq import merge
from typing import Final

from msgspec import Struct

from gateway.history.filters import Filters
from gateway.ports import Index, Place
from gateway.status.lifecycle import FINAL

SUCCESS: Final = "SUCCESS"


class Source(Struct, frozen=True):
    """Indexes that are walked together."""

    name: str
    """Within one set of filters; what a cursor remembers of it."""
    indexes: tuple[Index, ...]
    """All but one are ordered by id. Where a task moves from one to another, the one it leaves stands first."""


def list_sources(filters: Filters, *, root_id: str | None = None) -> tuple[Source, ...]:
    """List where all that is wanted can be found; `root_id` is where the task began whose retries are wanted."""
    if filters.retry_of is not None:
        return (Source("chain", (Index(kind="chain", name=root_id or filters.retry_of),)),)
    if filters.batch is not None:
        return (Source("batch", (Index(kind="batch", name=filters.batch),)),)
    sources: list[Source] = []
    if filters.task_type is not None:
        sources.append(Source("type", (Index(kind="type", name=filters.task_type),)))
    if filters.is_unfinished or filters.status not in {None, SUCCESS}:
        sources.append(_list_by_status(filters.status))
    return tuple(sources) or (Source("all", (Index(kind="all"),)),)


def choose_source(sources: Sequence[Source], sizes: Sequence[int]) -> Source:
    """Choose the smallest source; `sizes` are those of all indexes, in their order."""
    left = iter(sizes)
    totals = [sum(next(left) for _ in source.indexes) for source in sources]
    return sources[totals.index(min(totals))]


def merge_places(found: Sequence[Sequence[Place]], *, count: int) -> tuple[list[Place], bool]:
    """Join what was read of each index of a source, at most `count`: the newest first, and whether that is all.

    Shape: what moved from one index to another meanwhile stands there once.
    """
    ordered = found[0] if len(found) == 1 else merge(*found, key=lambda place: place.task_id, reverse=True)
    places = list({place.task_id: place for place in ordered}.values())
    is_all = all(len(each) < count for each in found) and len(places) <= count
    return places[:count], is_all


def _list_by_status(status: str | None) -> Source:
    # What has ended may still be among the open ones, until the settler has seen it.
    ended = (Index(kind="ended", name=status),) if status in FINAL and status is not None else ()
    return Source("status", (Index(kind="open"), *ended))
