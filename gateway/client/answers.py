"""What a gateway answers, as far as this client shows it.

What comes in: JSON of any version of the gateway. What goes out: values; members that are unknown are passed over, and
those that are missing read as not known.
"""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

ENDINGS = {"SUCCESS": True, "FAILURE": False, "REVOKED": False, "UNKNOWN": False}
"""The final statuses, and whether each is a success."""


class Fault(Struct, frozen=True, kw_only=True):
    """One reason why a request was refused."""

    pointer: str = ""
    detail: str = ""
    expected: Any = None


class Problem(Struct, frozen=True, kw_only=True):
    """The body of every failure."""

    title: str = ""
    status: int
    detail: str = ""
    code: str = ""
    errors: tuple[Fault, ...] = ()
    near: tuple[str, ...] = ()
    task_id: str | None = None
    holders: tuple[str, ...] = ()
    error_id: str | None = None


class Receipt(Struct, frozen=True, kw_only=True):
    """Proof that a launch was accepted."""

    task_id: str
    task_type: str
    status: str = "PENDING"
    message: str = ""
    retry_of: str | None = None
    attempt: int | None = None
    replaced: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class DryRun(Struct, frozen=True, kw_only=True):
    """What a launch would have sent."""

    task_type: str
    params: dict[str, Any] = {}
    options: dict[str, Any] = {}
    message: str = ""
    warnings: tuple[str, ...] = ()


class TaskError(Struct, frozen=True, kw_only=True):
    """Why a task failed."""

    type: str = ""
    message: str = ""
    traceback: str | None = None


class Progress(Struct, frozen=True, kw_only=True):
    """How far a running task says it is."""

    current: float | int | None = None
    total: float | int | None = None
    percent: float | None = None
    message: str | None = None


class Revocation(Struct, frozen=True, kw_only=True):
    """A revoke, asked for and perhaps confirmed."""

    requested_at: datetime
    confirmed_at: datetime | None = None
    terminate: bool = False
    is_withdrawn: bool = False
    """True when the message was taken out of the broker."""


class Link(Struct, frozen=True, kw_only=True):
    """One task of a chain of retries."""

    task_id: str
    attempt: int
    status: str
    launched_at: datetime | None = None


class Status(Struct, frozen=True, kw_only=True):
    """What is known about one task; an item of the history has fewer members."""

    task_id: str
    task_type: str
    status: str
    result: Any = None
    result_omitted: str | None = None
    result_url: str | None = None
    error: TaskError | None = None
    progress: Progress | None = None
    launched_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    queued_s: float | None = None
    run_s: float | None = None
    worker: str | None = None
    worker_lost_at: datetime | None = None
    retries: int = 0
    retry_of: str | None = None
    root_id: str | None = None
    attempt: int | None = None
    batch_id: str | None = None
    revocation: Revocation | None = None
    expires_at: datetime | None = None
    chain: tuple[Link, ...] = ()


class RevokeAnswer(Struct, frozen=True, kw_only=True):
    """What a revoke did."""

    task_id: str
    status: str
    message: str = ""
    revocation: Revocation | None = None


class Entry(Struct, frozen=True, kw_only=True):
    """One task type of the catalog."""

    task_type: str
    title: str = ""
    description: str = ""
    parameters: dict[str, Any] = {}
    queue: str = ""
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    examples: tuple[dict[str, Any], ...] = ()
    caller_options: tuple[str, ...] = ()
    availability: str = "unknown"
    availability_reason: str | None = None


class Difference(Struct, frozen=True, kw_only=True):
    """One thing that the workers do not do as the file declares it."""

    kind: str
    detail: str = ""
    task_types: tuple[str, ...] = ()


class Drift(Struct, frozen=True, kw_only=True):
    """How the workers differ from the catalog."""

    status: str
    reason: str | None = None
    differences: tuple[Difference, ...] = ()
    workers: int = 0
    as_of: datetime | None = None


class Page(Struct, frozen=True, kw_only=True):
    """One page of the history; each item as it was sent."""

    items: tuple[msgspec.Raw, ...]
    next_cursor: str | None = None
