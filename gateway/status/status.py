"""TaskStatus: the full answer about one task, and how it is told."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from gateway.ports import Remembered, Revocation
from gateway.status.record import ResultRecord

FINAL = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
_WITH_EXCEPTION = frozenset({"FAILURE", "RETRY", "REVOKED"})
_WAITING = ResultRecord(status="PENDING")


class TaskError(Struct, frozen=True, kw_only=True):
    """Why a task failed, as plain data."""

    type: str
    message: str
    traceback: str | None = None


class Progress(Struct, frozen=True, kw_only=True):
    """How far a running task says it is."""

    current: float | int | None = None
    total: float | int | None = None
    percent: float | None = None
    message: str | None = None


class RevocationStatus(Struct, frozen=True, kw_only=True):
    """A revoke: asked for, and confirmed once Celery reports the task as revoked."""

    requested_at: datetime
    confirmed_at: datetime | None
    terminate: bool


class TaskStatus(Struct, frozen=True, kw_only=True):
    """What is known about one launched task."""

    task_id: str
    task_type: str
    name: str
    status: str
    result: Any
    error: TaskError | None
    progress: Progress | None
    launched_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    queued_s: float | None
    run_s: float | None
    worker: str | None
    retries: int
    retry_of: str | None
    root_id: str | None
    attempt: int
    revocation: RevocationStatus | None
    expires_at: datetime | None
    generation: int
    digest: str


class RevokeAnswer(Struct, frozen=True, kw_only=True):
    """What a revoke did: what was requested, and what is already known to have come of it."""

    task_id: str
    status: str
    message: str
    revocation: RevocationStatus


def interpret(remembered: Remembered, record: ResultRecord | None) -> TaskStatus:
    """Tell what is known about one launched task.

    Shape: `record` is None while the result backend has heard nothing of the task; `result` holds the return
        value in SUCCESS and the meta of a custom state, `error` is set in FAILURE, RETRY and REVOKED.
    Source: Celery user guide, "States": PENDING also means "unknown id", hence the ledger's row beside it.
    """
    entry, record = remembered.entry, record or _WAITING
    lineage = entry.lineage
    has_exception = record.status in _WITH_EXCEPTION
    return TaskStatus(
        task_id=entry.task_id,
        task_type=entry.task_type,
        name=entry.name,
        status=record.status,
        result=None if has_exception or record.status in {"STARTED", "RECEIVED"} else record.result,
        error=_read_error(record) if has_exception else _explain_unreadable(record),
        progress=_read_progress(record),
        launched_at=entry.launched_at,
        started_at=None,
        finished_at=record.finished_at if record.status in FINAL else None,
        queued_s=None,
        run_s=None,
        worker=record.worker or _find_worker(record),
        retries=record.retries or 0,
        retry_of=lineage.retry_of if lineage else None,
        root_id=lineage.root_id if lineage else None,
        attempt=lineage.attempt if lineage else 1,
        revocation=show_revocation(remembered.revocation, record) if remembered.revocation else None,
        expires_at=entry.expires_at,
        generation=entry.generation,
        digest=entry.digest,
    )


def show_revocation(revocation: Revocation, record: ResultRecord) -> RevocationStatus:
    """Put a revoke beside its confirmation, if Celery has reported the task as revoked."""
    return RevocationStatus(
        requested_at=revocation.requested_at,
        confirmed_at=record.finished_at if record.status == "REVOKED" else None,
        terminate=revocation.terminate,
    )


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


def _explain_unreadable(record: ResultRecord) -> TaskError | None:
    if record.is_readable:
        return None
    return TaskError(type="UnreadableResult", message="the result backend holds something that is not Celery's JSON")


def _read_progress(record: ResultRecord) -> Progress | None:
    meta = record.result
    if record.status in FINAL or not isinstance(meta, dict) or not {"current", "total"} & meta.keys():
        return None
    current, total = _as_number(meta.get("current")), _as_number(meta.get("total"))
    percent = round(100 * current / total, 1) if current is not None and total else None
    message = meta.get("message")
    return Progress(current=current, total=total, percent=percent, message=None if message is None else str(message))


def _find_worker(record: ResultRecord) -> str | None:
    if record.status == "STARTED" and isinstance(record.result, dict):
        hostname = record.result.get("hostname")
        return hostname if isinstance(hostname, str) else None
    return None


def _as_number(value: object) -> float | int | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
