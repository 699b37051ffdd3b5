"""Stats: the last look at the workers, with its age; and what it says of a task type."""

from datetime import datetime

from msgspec import Struct

from gateway.ports import WorkersView, WorkerView


class QueueStats(Struct, frozen=True, kw_only=True):
    """One queue."""

    waiting: int
    """Messages that no worker has taken."""
    consumers: int
    """Workers that take from it."""


class Totals(Struct, frozen=True, kw_only=True):
    """Sums over all workers and queues."""

    workers: int
    active: int
    reserved: int
    scheduled: int
    waiting: int


class Stats(Struct, frozen=True, kw_only=True):
    """The answer of `/stats`."""

    workers: dict[str, WorkerView]
    queues: dict[str, QueueStats]
    totals: Totals
    as_of: datetime | None
    age_s: float | None


def summarise(view: WorkersView, *, now: datetime) -> Stats:
    """Summarise a look at the workers.

    Units: `age_s` is seconds since the look ended, None before the first one.
    """
    workers = view.workers.values()
    return Stats(
        workers=view.workers,
        queues={
            queue: QueueStats(waiting=waiting, consumers=sum(queue in worker.queues for worker in workers))
            for queue, waiting in view.queues.items()
        },
        totals=Totals(
            workers=len(view.workers),
            active=sum(len(worker.active) for worker in workers),
            reserved=sum(len(worker.reserved) for worker in workers),
            scheduled=sum(len(worker.scheduled) for worker in workers),
            waiting=sum(view.queues.values()),
        ),
        as_of=view.as_of,
        age_s=None if view.as_of is None else round(max(0.0, (now - view.as_of).total_seconds()), 3),
    )


def judge_availability(view: WorkersView, name: str) -> str:
    """Say whether a live worker registers a Celery name: `available`, `unavailable`, or `unknown` with none alive."""
    if not view.workers:
        return "unknown"
    return "available" if any(name in worker.registered for worker in view.workers.values()) else "unavailable"
