"""Retries and revokes of many tasks: which ones, and what became of them. Decisions and shapes only."""

from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct

from gateway.errors import Fault, RefusedParamsError
from gateway.history.filters import Filters
from gateway.launch.request import read_members
from gateway.launch.task_id import TaskId
from gateway.ports import Remembered
from gateway.status.lifecycle import FINAL

MOST: Final = 10_000
"""Tasks that one request retries or revokes."""
MOST_ITEMS: Final = 1000
"""Tasks that one answer tells of by name."""
_NAMES: Final = ("task_type", "status", "since", "until", "batch")
_Word = Annotated[str, Meta(min_length=1, max_length=128)]
_Moment = Annotated[datetime, Meta(tz=True)]


class RetryManyBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /tasks/retry`; at least one of the filters is given."""

    task_type: _Word | None = None
    status: _Word | None = None
    """How they ended; in FAILURE where nothing is said."""
    since: _Moment | None = None
    until: _Moment | None = None
    batch: TaskId | None = None
    cursor: _Word | None = None
    """Where an earlier request ended."""


class RevokeManyBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /tasks/revoke`; at least one of the filters is given."""

    task_type: _Word | None = None
    status: _Word | None = None
    """Any that is not final where nothing is said."""
    since: _Moment | None = None
    until: _Moment | None = None
    batch: TaskId | None = None
    terminate: bool = False
    """Also stop those that run, with SIGTERM."""
    cursor: _Word | None = None
    """Where an earlier request ended."""


class BulkItem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one task."""

    task_id: str
    outcome: str
    """`matched` in a dry run, `retried`, `revoked`, `finished`, or the code of the problem that spoke against it."""
    retried_as: str | None = None


class RetryManyAnswer(Struct, frozen=True, kw_only=True):
    """What became of a retry of many tasks."""

    matched: int
    retried: int
    refused: int
    items: tuple[BulkItem, ...]
    is_complete: bool
    """False when there may be more: the same request again goes on."""
    next_cursor: str | None
    """With it the same request goes on at once, where it ended."""
    dry_run: bool


class RevokeManyAnswer(Struct, frozen=True, kw_only=True):
    """What became of a revoke of many tasks."""

    matched: int
    revoked: int
    """They will not run, or the workers were asked to leave them; the status of each says which."""
    finished: int
    """They had ended before they could be."""
    items: tuple[BulkItem, ...]
    is_complete: bool
    """False when there may be more: the same request again goes on."""
    next_cursor: str | None
    """With it the same request goes on at once, where it ended."""
    dry_run: bool


def read_retry_many(body: object) -> tuple[RetryManyBody, Filters]:
    """Read which tasks are to be retried.

    Raises: RefusedParamsError.
    """
    read = read_members(body, RetryManyBody)
    _check(read)
    if read.status is not None and read.status not in FINAL:
        raise _refuse("/status", "status", "a task that has not ended cannot be retried", expected=sorted(FINAL))
    return read, _make_filters(read, status=read.status or "FAILURE", is_unfinished=False)


def read_revoke_many(body: object) -> tuple[RevokeManyBody, Filters]:
    """Read which tasks are to be revoked.

    Raises: RefusedParamsError.
    """
    read = read_members(body, RevokeManyBody)
    _check(read)
    if read.status in FINAL:
        raise _refuse("/status", "status", "a task that has ended cannot be revoked")
    return read, _make_filters(read, status=read.status, is_unfinished=True)


def is_to_revoke(remembered: Remembered, *, terminate: bool) -> bool:
    """Tell whether a revoke would be news: none was asked for before, or none that stops a task."""
    known = remembered.revocation
    return known is None or (terminate and not known.terminate)


def _check(body: RetryManyBody | RevokeManyBody) -> None:
    if all(getattr(body, name) is None for name in _NAMES):
        raise _refuse("", "filters", f"wanted at least one of {', '.join(_NAMES)}", expected=list(_NAMES))


def _make_filters(body: RetryManyBody | RevokeManyBody, *, status: str | None, is_unfinished: bool) -> Filters:
    return Filters(
        task_type=body.task_type,
        status=status,
        is_unfinished=is_unfinished,
        since=body.since,
        until=body.until,
        batch=body.batch,
    )


def _refuse(pointer: str, code: str, detail: str, *, expected: list[str] | None = None) -> RefusedParamsError:
    return RefusedParamsError((Fault(pointer=pointer, code=code, detail=detail, expected=expected),))
