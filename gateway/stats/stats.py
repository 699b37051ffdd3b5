"""Stats: what is known of workers, queues and launches, with its age."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from gateway.ports import WorkersView, WorkerView
from gateway.stats.availability import is_stale


class WorkerStats(WorkerView, frozen=True, kw_only=True):
    """One worker."""

    heartbeat_age_s: float | None = None
    """Seconds since it was last heard of."""


class QueueStats(Struct, frozen=True, kw_only=True):
    """One queue."""

    waiting: int
    """Messages that no worker has taken."""
    consumers: int
    """Workers that are online and take from it."""
    oldest_age_s: float | None
    """How long the oldest of them has waited; null where nobody can tell: only a Redis broker shows its messages."""


class Totals(Struct, frozen=True, kw_only=True):
    """Sums over all queues, and the workers that are online."""

    workers: int
    active: int
    reserved: int
    scheduled: int
    waiting: int


class Stats(Struct, frozen=True, kw_only=True):
    """The answer of `/stats`."""

    workers: dict[str, WorkerStats]
    """Those that are online, and for ten minutes those that were."""
    queues: dict[str, QueueStats]
    totals: Totals
    task_types: dict[str, dict[str, int]]
    """For each task type how many were `launched`, and how many ended in each status, since the ledger began."""
    as_of: datetime | None
    """When the broker was last heard."""
    age_s: float | None
    stale: bool
    """True when the broker cannot be asked: then all of this is as it was."""


def summarise(view: WorkersView, *, now: datetime) -> Stats:
    """Summarise what is known.

    Units: `age_s` is seconds since the broker was last heard, None before that.
    """
    online = [worker for worker in view.workers.values() if worker.online]
    consumers: dict[str, int] = {}
    for worker in online:
        for queue in worker.queues:
            consumers[queue] = consumers.get(queue, 0) + 1
    return Stats(
        workers={name: _show(worker, now=now) for name, worker in view.workers.items()},
        queues={
            queue: QueueStats(
                waiting=waiting,
                consumers=consumers.get(queue, 0),
                oldest_age_s=_measure_age(view.oldest.get(queue), now=now),
            )
            for queue, waiting in view.queues.items()
        },
        totals=Totals(
            workers=len(online),
            active=sum(_count(worker.active_count, worker.active) for worker in online),
            reserved=sum(_count(worker.reserved_count, worker.reserved) for worker in online),
            scheduled=sum(_count(worker.scheduled_count, worker.scheduled) for worker in online),
            waiting=sum(view.queues.values()),
        ),
        task_types=view.totals,
        as_of=view.as_of,
        age_s=_measure_age(view.as_of, now=now),
        stale=is_stale(view, now=now),
    )


_FIELDS = WorkerView.__struct_fields__


def _show(worker: WorkerView, *, now: datetime) -> WorkerStats:
    age_s = _measure_age(worker.heard_at, now=now)
    return WorkerStats(**{name: getattr(worker, name) for name in _FIELDS}, heartbeat_age_s=age_s)


def _count(counted: int | None, shown: tuple[dict[str, Any], ...]) -> int:
    return len(shown) if counted is None else counted


def _measure_age(since: datetime | None, *, now: datetime) -> float | None:
    return None if since is None else round(max(0.0, (now - since).total_seconds()), 3)
