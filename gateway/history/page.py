"""One page of the history, and what it tells of a task: neither its result nor its params."""

from datetime import datetime

from msgspec import Struct

from gateway.status.interpreting import ERROR_CHARACTERS
from gateway.status.status import RevocationStatus, TaskStatus


class Failure(Struct, frozen=True, kw_only=True):
    """Why a task failed, in short."""

    type: str
    message: str


class HistoryItem(Struct, frozen=True, kw_only=True):
    """One task that was found."""

    task_id: str
    task_type: str
    name: str
    status: str
    launched_at: datetime
    launched_by: str | None
    started_at: datetime | None
    finished_at: datetime | None
    queued_s: float | None
    run_s: float | None
    worker: str | None
    error: Failure | None
    retry_of: str | None
    root_id: str | None
    attempt: int
    batch_id: str | None
    revocation: RevocationStatus | None
    status_url: str


class HistoryPage(Struct, frozen=True, kw_only=True):
    """Tasks, the newest first; fewer than were asked for, or none, where much had to be looked at."""

    items: tuple[HistoryItem, ...]
    next_cursor: str | None
    """Goes on behind them; null at the end."""


def show_item(status: TaskStatus, *, prefix: str) -> HistoryItem:
    """Show a task in short; `prefix` is the path before `/tasks`."""
    error = status.error
    return HistoryItem(
        task_id=status.task_id,
        task_type=status.task_type,
        name=status.name,
        status=status.status,
        launched_at=status.launched_at,
        launched_by=status.launched_by,
        started_at=status.started_at,
        finished_at=status.finished_at,
        queued_s=status.queued_s,
        run_s=status.run_s,
        worker=status.worker,
        error=None if error is None else Failure(type=error.type, message=error.message[:ERROR_CHARACTERS]),
        retry_of=status.retry_of,
        root_id=status.root_id,
        attempt=status.attempt,
        batch_id=status.batch_id,
        revocation=status.revocation,
        status_url=f"{prefix}/tasks/{status.task_id}",
    )
