"""What is known of a task, told as one answer from all who know something: the ledger, Celery's record, the workers. Pure."""

from datetime import datetime, timedelta

from msgspec import Struct

from gateway.ports import End, Remembered, Revocation, Run, TaskError, WorkersView, muster
from gateway.status.lifecycle import CELERY_FINAL, FINAL, WITH_EXCEPTION, choose_status, has_result
from gateway.status.record import ResultRecord
from gateway.status.status import Link, Progress, RevocationStatus, TaskStatus

STALLED_AFTER = timedelta(seconds=10)
"""So long a task waits before it is said what it may be waiting for."""
ERROR_CHARACTERS = 300
"""Longest message of an error that is kept for good."""
UNREADABLE = "unreadable"
_NO_RUN = Run()


class Witness(Struct, frozen=True, kw_only=True):
    """What else is known at the moment of the answer."""

    now: datetime
    view: WorkersView | None = None
    """What is known of the workers."""
    lost_at: datetime | None = None
    """Since when the task's worker is gone."""
    chain: tuple[Link, ...] = ()
    prefix: str = ""
    """The path before `/tasks`."""


def interpret(remembered: Remembered, record: ResultRecord | None, witness: Witness) -> TaskStatus:
    """Tell what is known about one launched task.

    Shape: `record` is None while the result backend has heard nothing of the task; `result` holds the return
        value in SUCCESS and the meta of a custom state, `error` is set in FAILURE, RETRY and REVOKED.
    Units: `queued_s` and `run_s` are seconds, never negative, None as long as Celery has not made both ends known.
    Source: Celery user guide, "States": PENDING also means "unknown id", hence the ledger's row beside it.
    """
    entry, run, end = remembered.entry, remembered.run or _NO_RUN, remembered.end
    status = choose_status(remembered, record)
    # A record that speaks of another status belongs to a later run, or to an earlier one: it is not what is shown.
    told = record if record is not None and record.status == status else None
    omitted = _explain_omission(status, told, is_ended=end is not None, is_garbled=_is_garbled(record))
    started_at = end.started_at if end and end.started_at else run.started_at
    finished_at = _find_finish(remembered, told, status)
    lineage = entry.lineage
    return TaskStatus(
        task_id=entry.task_id,
        task_type=entry.task_type,
        name=entry.name,
        status=status,
        result=told.result if told is not None and has_result(status) else None,
        result_omitted=omitted,
        result_url=f"{witness.prefix}/tasks/{entry.task_id}/result" if omitted == "too_large" else None,
        error=_find_error(status, told, end, is_garbled=_is_garbled(record)),
        progress=read_progress(status, told),
        launched_at=entry.launched_at,
        launched_by=entry.launched_by,
        started_at=started_at,
        finished_at=finished_at,
        queued_s=_measure(entry.launched_at, started_at),
        run_s=_measure(started_at, finished_at),
        worker=find_worker(remembered, told),
        worker_lost_at=witness.lost_at if status not in FINAL and status != "PENDING" else None,
        stalled_because=_explain_wait(remembered, status, witness),
        retries=_find_retries(told, end),
        redeliveries=run.redeliveries,
        retry_of=lineage.retry_of if lineage else None,
        root_id=lineage.root_id if lineage else None,
        attempt=lineage.attempt if lineage else 1,
        batch_id=entry.batch_id,
        revocation=show_revocation(remembered.revocation, status, finished_at) if remembered.revocation else None,
        expires_at=entry.expires_at,
        generation=entry.generation,
        digest=entry.digest,
        chain=witness.chain,
    )


def is_final(status: TaskStatus) -> bool:
    """Tell whether nothing can follow; a record that cannot be read says nothing for good."""
    return status.status in CELERY_FINAL or (status.status in FINAL and status.result_omitted != UNREADABLE)


def conclude(status: TaskStatus) -> End:
    """Keep of a final status what outlives the result backend's record."""
    error = status.error
    return End(
        status=status.status,
        finished_at=status.finished_at,
        started_at=status.started_at,
        worker=status.worker,
        retries=status.retries,
        error=None if error is None else TaskError(type=error.type, message=error.message[:ERROR_CHARACTERS]),
    )


def show_revocation(revocation: Revocation, status: str, finished_at: datetime | None) -> RevocationStatus:
    """Put a revoke beside its confirmation: our own, or Celery's report of a revoked task."""
    return RevocationStatus(
        requested_at=revocation.requested_at,
        confirmed_at=revocation.confirmed_at or (finished_at if status == "REVOKED" else None),
        terminate=revocation.terminate,
        is_withdrawn=revocation.withdrawn_at is not None,
    )


def find_worker(remembered: Remembered, record: ResultRecord | None) -> str | None:
    """Find who runs a task, or ran it."""
    if remembered.end is not None and remembered.end.worker:
        return remembered.end.worker
    told = record.worker or _read_hostname(record) if record is not None else None
    return told or (remembered.run.worker if remembered.run else None)


def read_progress(status: str, record: ResultRecord | None) -> Progress | None:
    """Read the meta of a running task that counts: `current`, `total`, `message`."""
    meta = record.result if record is not None else None
    if status in FINAL or not isinstance(meta, dict) or not {"current", "total"} & meta.keys():
        return None
    current, total = _as_number(meta.get("current")), _as_number(meta.get("total"))
    percent = round(100 * current / total, 1) if current is not None and total else None
    message = meta.get("message")
    return Progress(current=current, total=total, percent=percent, message=None if message is None else str(message))


def _is_garbled(record: ResultRecord | None) -> bool:
    return record is not None and not record.is_readable


def _explain_omission(status: str, told: ResultRecord | None, *, is_ended: bool, is_garbled: bool) -> str | None:
    if is_garbled:
        return UNREADABLE
    if told is not None:
        return None if told.is_whole else "too_large"
    return "expired" if is_ended and status in CELERY_FINAL else None


def _find_finish(remembered: Remembered, told: ResultRecord | None, status: str) -> datetime | None:
    if status not in FINAL:
        return None
    known = (remembered.end and remembered.end.finished_at) or (told and told.finished_at)
    return known or (remembered.revocation.confirmed_at if remembered.revocation else None)


def _find_error(status: str, told: ResultRecord | None, end: End | None, *, is_garbled: bool) -> TaskError | None:
    if is_garbled:
        message = "the result backend holds something that is not Celery's JSON"
        return TaskError(type="UnreadableResult", message=message)
    if status == "UNKNOWN":
        return end.error if end is not None else None
    if status not in WITH_EXCEPTION:
        return None
    if told is not None:
        return _read_error(told)
    return end.error if end is not None else None


def _read_error(record: ResultRecord) -> TaskError:
    result = record.result if isinstance(record.result, dict) else {"exc_message": record.result}
    message = result.get("exc_message")
    if isinstance(message, list):
        message = ", ".join(str(part) for part in message)
    kind = str(result.get("exc_type") or "Error")
    module = str(result.get("exc_module") or "")
    return TaskError(
        type=kind if module in {"", "builtins"} else f"{module}.{kind}",
        message="" if message is None else str(message),
        traceback=record.traceback,
    )


def _find_retries(told: ResultRecord | None, end: End | None) -> int:
    return end.retries if end is not None else (told.retries or 0) if told is not None else 0


def _explain_wait(remembered: Remembered, status: str, witness: Witness) -> str | None:
    """Say what a task may be waiting for, once it has waited for a while beyond the moment when it is due."""
    entry, view = remembered.entry, witness.view
    due_at = entry.eta or entry.launched_at
    is_known = view is not None and view.as_of is not None and view.is_heard
    if status != "PENDING" or view is None or not is_known or witness.now - due_at < STALLED_AFTER:
        return None
    fleet = muster(view.workers.items()) if view.fleet is None else view.fleet
    if fleet.untold:
        return None
    if entry.queue not in fleet.queues:
        return f"no live worker consumes the queue {entry.queue}"
    if entry.name not in fleet.queues[entry.queue]:
        return f"no live worker of the queue {entry.queue} knows the task {entry.name}"
    return None


def _read_hostname(record: ResultRecord) -> str | None:
    hostname = record.result.get("hostname") if isinstance(record.result, dict) else None
    return hostname if record.status == "STARTED" and isinstance(hostname, str) else None


def _measure(since: datetime | None, until: datetime | None) -> float | None:
    if since is None or until is None:
        return None
    return round(max(0.0, (until - since).total_seconds()), 3)


def _as_number(value: object) -> float | int | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
