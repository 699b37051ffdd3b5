"""TaskStatus, the full answer about one task, and what stands in it. Shapes only."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from gateway.ports import TaskError


class Progress(Struct, frozen=True, kw_only=True):
    """How far a running task says it is."""

    current: float | int | None = None
    total: float | int | None = None
    percent: float | None = None
    message: str | None = None


class RevocationStatus(Struct, frozen=True, kw_only=True):
    """A revoke: asked for, and confirmed once it is certain that the task does not run, or no longer."""

    requested_at: datetime
    confirmed_at: datetime | None
    terminate: bool
    is_withdrawn: bool
    """True when its message was taken out of the broker: no worker can get it any more."""


class Link(Struct, frozen=True, kw_only=True):
    """One retry in the chain of the task that it all began with."""

    task_id: str
    attempt: int
    retry_of: str
    status: str
    launched_at: datetime


class TaskStatus(Struct, frozen=True, kw_only=True):
    """What is known about one launched task."""

    task_id: str
    task_type: str
    name: str
    status: str
    result: Any
    result_omitted: str | None
    """Why `result` is null though there is, or was, one: `too_large`, `expired` or `unreadable`; `withheld` from whoever
    may follow the task, and not read what it returned."""
    result_url: str | None
    """Where a result is that is too large to stand here."""
    error: TaskError | None
    progress: Progress | None
    launched_at: datetime
    launched_by: str | None
    """The caller, as `key:ci`; null where nobody was told apart."""
    started_at: datetime | None
    finished_at: datetime | None
    queued_s: float | None
    """From launch to start."""
    run_s: float | None
    worker: str | None
    worker_lost_at: datetime | None
    """Since when the worker of a running task has not been heard of."""
    stalled_because: str | None
    """Why a task that waits may wait for long: nobody consumes its queue, or knows its name."""
    retries: int
    redeliveries: int
    """How often its message was lost and sent again by a gateway."""
    retry_of: str | None
    root_id: str | None
    attempt: int
    batch_id: str | None
    revocation: RevocationStatus | None
    expires_at: datetime | None
    generation: int
    digest: str
    chain: tuple[Link, ...]
    """The retries of a task that is none itself, in the order of their launches."""


class RevokeAnswer(Struct, frozen=True, kw_only=True):
    """What a revoke did: what was requested, and what is already known to have come of it."""

    task_id: str
    status: str
    message: str
    revocation: RevocationStatus
