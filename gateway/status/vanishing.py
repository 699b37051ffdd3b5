"""Whether a task is lost whose message is gone, and what is done about it. Pure.

What comes in: what is known of a task that is neither in its queue nor in the account that Kombu keeps of messages in hand.
What goes out: a verdict. Between a message that was acknowledged early and the end of its task Celery leaves no trace in the
broker, so that "gone" alone proves nothing: somebody must have been sure to leave a trace of a run, or a run be seen to be dead.
"""

from datetime import datetime

from msgspec import Struct

from gateway.ports import End, Missing, Remembered, Run, TaskError, WorkersView
from gateway.status.lifecycle import FINAL, is_underway

MOST_REDELIVERIES = 5
"""A message that was lost so often is not sent again."""
PERIODS = 3
"""After so many periods every worker that is heard has answered what it runs."""
MOST_TOLD = 100
"""Of a worker that runs so many tasks or more, not all may be told."""
LOST = "LostTask"
"""The type of the error with which a gateway ends a task that it cannot find."""
_NO_RUN = Run()


class Absence(Struct, frozen=True, kw_only=True):
    """All that speaks for or against a task being lost."""

    missing: Missing
    remembered: Remembered
    status: str
    """The word that is shown of it."""
    since: datetime
    """Since when it has been missing, for this gateway; by the clock by which the workers are looked at."""
    missing_s: float
    """For how long, by a clock that nobody sets."""
    now: datetime
    view: WorkersView
    crew: frozenset[str]
    """The workers that may have been alive when it was first missing."""
    lost_workers: frozenset[str]
    """Of these, and the one that began with it, those that are known to be gone, or whose process then is."""
    worker: str | None
    """Who began with it."""
    exact: frozenset[str]
    """The workers with the kit."""
    answer_period_s: float
    """How often the workers are asked what they run."""
    leaves_traces: bool
    """Whether a run of such a task is sure to leave a trace, as others of its type did."""


def is_lost(absence: Absence) -> bool:
    """Tell whether nobody runs a task, or will."""
    remembered = absence.remembered
    if absence.status in FINAL or remembered.end is not None or remembered.revocation is not None:
        return False
    if not remembered.entry.is_plain:
        return False
    if absence.missing_s < remembered.entry.reconcile_after_s:
        return False
    if absence.missing.is_holder_dead:
        return True
    if is_run(remembered, absence.status):
        return absence.worker is not None and absence.worker in absence.lost_workers
    return _is_exact(absence) or (absence.leaves_traces and _is_nowhere(absence))


def is_run(remembered: Remembered, status: str) -> bool:
    """Tell whether a worker has begun with a task, and it is not back in a queue since."""
    return is_underway(status) and status != "RETRY" and not _is_back(remembered)


def _is_exact(absence: Absence) -> bool:
    """Tell whether all workers that could have taken it have the kit: then its absence from the ledger says all."""
    workers, queue = absence.view.workers, absence.remembered.entry.queue
    consumers = {name for name, worker in workers.items() if worker.online and queue in worker.queues}
    return bool(consumers) and consumers | (absence.crew - workers.keys() - absence.lost_workers) <= absence.exact


def _is_back(remembered: Remembered) -> bool:
    """Tell whether a message of the task was sent after the run that is known of it began."""
    run = remembered.run
    return (
        run is not None
        and run.redelivered_at is not None
        and (run.started_at or run.redelivered_at) <= run.redelivered_at
    )


def _is_nowhere(absence: Absence) -> bool:
    """Tell whether all workers that could have it have answered since it is missing, and none has it."""
    view = absence.view
    if not view.is_heard or view.as_of is None or view.as_of <= absence.since:
        return False
    if absence.missing_s < PERIODS * absence.answer_period_s:
        return False
    return all(_has_it_not(name, absence) for name in absence.crew | view.workers.keys())


def _has_it_not(name: str, absence: Absence) -> bool:
    """Tell whether a worker is known not to run the task; one with the solo pool says nothing while it works."""
    worker = absence.view.workers.get(name)
    if name in absence.lost_workers or (worker is not None and not worker.online):
        return True
    if worker is None or worker.heard_at is None or worker.heard_at <= absence.since:
        return False
    if len(worker.active) >= MOST_TOLD:
        return False
    return all(task["task_id"] != absence.missing.task_id for task in worker.active)


def conclude_lost(absence: Absence) -> End | None:
    """Say how a lost task ends; None when it is sent again."""
    entry, run = absence.remembered.entry, absence.remembered.run or _NO_RUN
    if entry.delivery == "at_most_once":
        return _end(absence, "UNKNOWN", f"{_tell_loss(absence)}, and it runs at most once")
    if entry.secrets:
        why = f"{_tell_loss(absence)}, and its secret params are not kept: launch it again"
        return _end(absence, "UNKNOWN", why)
    if run.redeliveries >= MOST_REDELIVERIES:
        return _end(absence, "FAILURE", f"its message was lost {run.redeliveries + 1} times")
    return None


def leaves_trace(end: End) -> bool:
    """Tell whether an end was told by a worker."""
    return end.status == "SUCCESS" or (end.status == "FAILURE" and (end.error is None or end.error.type != LOST))


def _tell_loss(absence: Absence) -> str:
    if absence.worker is not None and (absence.missing.is_holder_dead or is_underway(absence.status)):
        return f"the worker {absence.worker} died while it ran this task"
    return "its message left the queue, and nobody ran it"


def _end(absence: Absence, status: str, message: str) -> End:
    run = absence.remembered.run or _NO_RUN
    return End(
        status=status,
        finished_at=absence.now,
        started_at=run.started_at,
        worker=absence.worker,
        retries=absence.missing.retries,
        error=TaskError(type=LOST, message=message),
    )
