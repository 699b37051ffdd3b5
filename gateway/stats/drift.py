"""Drift: what the file declares against what the workers run. Pure.

What comes in: the declared task types and the view of the workers. What goes out: every difference, or why none can be told.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Literal, NamedTuple, TypeVar

from msgspec import Struct

from gateway.ports import WorkersView, WorkerView
from gateway.stats.availability import explain_ignorance, find_fleet, list_some

MOST_UNDECLARED = 1000
BUILT_IN = "celery."
"""How the names of Celery's own tasks begin."""
K = TypeVar("K")
Kind = Literal["no_worker", "no_consumer", "undeclared", "uneven"]


class Declared(NamedTuple):
    """What the file says of one task type."""

    task_type: str
    name: str
    queue: str


class Difference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is not as it is declared."""

    kind: Kind
    """`no_worker`: nobody registers a declared name; `no_consumer`: nobody consumes a declared queue; `undeclared`: a worker
    registers what nobody declared; `uneven`: workers of one queue register different names."""
    detail: str
    name: str | None = None
    """The Celery name."""
    queue: str | None = None
    task_types: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
    """For `uneven`, those that lack what others of the queue register."""
    names: tuple[str, ...] = ()
    """What these lack."""


class Drift(Struct, frozen=True, kw_only=True):
    """The answer of `/drift`."""

    status: Literal["none", "drift", "unknown"]
    """`unknown` when the workers cannot be asked, or have not all said what they run: then there may be more."""
    reason: str | None
    """Why it is not known."""
    differences: tuple[Difference, ...]
    workers: int
    """Workers that are online."""
    digest: str
    """The catalog that was compared."""
    as_of: datetime | None


def find_drift(declared: Iterable[Declared], view: WorkersView, *, digest: str, now: datetime) -> Drift:
    """Compare the file with the workers."""
    fleet = find_fleet(view)
    reason = explain_ignorance(view, now=now)
    differences: tuple[Difference, ...] = ()
    if reason is None and fleet.untold:
        reason = f"{list_some(fleet.untold)} has not said yet what it runs"
    elif reason is None:
        types = tuple(declared)
        differences = (
            *_find_unregistered(types, view),
            *_find_unconsumed(types, view),
            *_find_undeclared(types, view),
            *_find_uneven(view),
        )
    status: Literal["none", "drift", "unknown"] = "unknown" if reason else "drift" if differences else "none"
    return Drift(
        status=status,
        reason=reason,
        differences=differences,
        workers=fleet.count,
        digest=digest,
        as_of=view.as_of,
    )


def _find_unregistered(declared: tuple[Declared, ...], view: WorkersView) -> Iterator[Difference]:
    """Find names that nobody registers, or nobody of the queue that their tasks go to."""
    fleet = find_fleet(view)
    for (name, queue), task_types in _group(declared, lambda each: (each.name, each.queue)).items():
        consumed = fleet.queues.get(queue)
        if name in fleet.names and (consumed is None or name in consumed):
            continue
        where = f" of the queue {queue}" if name in fleet.names else ""
        detail = f"no live worker{where} registers {name}"
        yield Difference(kind="no_worker", detail=detail, name=name, queue=queue, task_types=task_types)


def _find_unconsumed(declared: tuple[Declared, ...], view: WorkersView) -> Iterator[Difference]:
    fleet = find_fleet(view)
    for queue, task_types in _group(declared, lambda each: each.queue).items():
        if queue not in fleet.queues:
            detail = f"no live worker consumes the queue {queue}"
            yield Difference(kind="no_consumer", detail=detail, queue=queue, task_types=task_types)


def _find_undeclared(declared: tuple[Declared, ...], view: WorkersView) -> Iterator[Difference]:
    known = {each.name for each in declared}
    found = sorted(name for name in find_fleet(view).names - known if not name.startswith(BUILT_IN))
    for name in found[:MOST_UNDECLARED]:
        yield Difference(kind="undeclared", detail=f"{name} is registered, and no task type launches it", name=name)


def _find_uneven(view: WorkersView) -> Iterator[Difference]:
    """Find workers that lack what others of their queue register: a task may be given to any of them."""
    for queue, names in find_fleet(view).queues.items():
        lacking: dict[tuple[str, ...], list[str]] = {}
        for worker, seen in view.workers.items():
            if seen.online and queue in seen.queues and (lack := _find_lack(seen, names)):
                lacking.setdefault(lack, []).append(worker)
        for lack, workers in lacking.items():
            detail = f"of the workers of the queue {queue}, {list_some(workers)} does not register {list_some(lack)}"
            yield Difference(kind="uneven", detail=detail, queue=queue, workers=tuple(workers), names=lack)


def _find_lack(worker: WorkerView, names: frozenset[str]) -> tuple[str, ...]:
    if len(worker.registered) == len(names):
        return ()
    return tuple(sorted(each for each in names.difference(worker.registered) if not each.startswith(BUILT_IN)))


def _group(declared: tuple[Declared, ...], key: Callable[[Declared], K]) -> Mapping[K, tuple[str, ...]]:
    """Gather the task types that have something in common."""
    groups: dict[K, tuple[str, ...]] = {}
    for each in declared:
        groups[key(each)] = (*groups.get(key(each), ()), each.task_type)
    return groups
