"""TaskStatus tells the ledger's row and Celery's record as one."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.launch.launch import LedgerEntry, Lineage
from gateway.ports import Remembered, Revocation
from gateway.status.record import UNREADABLE, ResultRecord
from gateway.status.status import Progress, RevocationStatus, TaskError, TaskStatus, interpret

THEN = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 24, 10, 5, tzinfo=UTC)


def told(record: ResultRecord | None, revocation: Revocation | None = None, **entry: Any) -> TaskStatus:
    """Interpret a record for a launch of THEN."""
    row = LedgerEntry(
        task_id="id", task_type="a.b", name="a.b", params={}, queue="q", launched_at=THEN, keep_s=60, digest="d",
        generation=3, **entry,
    )  # fmt: skip
    return interpret(Remembered(entry=row, revocation=revocation), record)


def test_no_record_is_pending() -> None:
    """The ledger's row proves the launch, so silence means that nobody has started it."""
    status = told(None)

    assert ("PENDING", None, None, THEN, 3) == (
        status.status, status.result, status.error, status.launched_at, status.generation,
    )  # fmt: skip


def test_success_has_its_result_and_no_error() -> None:
    """A return value stands in `result`, whatever its shape."""
    status = told(ResultRecord(status="SUCCESS", result={"current": 1, "total": 2}, finished_at=LATER))

    assert ({"current": 1, "total": 2}, None, None, LATER) == (
        status.result, status.error, status.progress, status.finished_at,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("result", "error"),
    [
        pytest.param(
            {"exc_type": "ValueError", "exc_message": ["no"], "exc_module": "builtins"},
            TaskError(type="ValueError", message="no", traceback="tb"),
            id="builtin",
        ),
        pytest.param(
            {"exc_type": "Lost", "exc_message": ["a", 2], "exc_module": "shop.errors"},
            TaskError(type="shop.errors.Lost", message="a, 2", traceback="tb"),
            id="module",
        ),
        pytest.param("boom", TaskError(type="Error", message="boom", traceback="tb"), id="a bare string"),
        pytest.param(None, TaskError(type="Error", message="", traceback="tb"), id="nothing"),
        pytest.param(
            {"exc_type": "SystemExit", "exc_message": [], "exc_module": "os"},
            TaskError(type="os.SystemExit", message="", traceback="tb"),
            id="hostile, named but never built",
        ),
    ],
)
def test_failure_has_an_error_and_no_result(result: Any, error: TaskError) -> None:
    """Celery's serialised exception is told as plain data."""
    status = told(ResultRecord(status="FAILURE", result=result, traceback="tb"))

    assert (None, error) == (status.result, status.error)


@pytest.mark.parametrize(
    ("meta", "progress"),
    [
        pytest.param({"current": 1, "total": 4, "message": "one"},
                     Progress(current=1, total=4, percent=25.0, message="one"), id="whole"),
        pytest.param({"current": 1}, Progress(current=1), id="no total"),
        pytest.param({"current": 1, "total": 0}, Progress(current=1, total=0), id="nothing to do"),
        pytest.param({"current": "x", "total": True}, Progress(), id="no numbers"),
        pytest.param({"step": 1}, None, id="another meta"),
        pytest.param([1], None, id="no object"),
    ],
)  # fmt: skip
def test_progress_is_read_from_the_usual_meta(meta: Any, progress: Progress | None) -> None:
    """`current` and `total` make progress; any other meta is passed on as the result."""
    status = told(ResultRecord(status="PROGRESS", result=meta))

    assert (progress, meta) == (status.progress, status.result)


def test_started_tells_its_worker_but_not_its_pid() -> None:
    """Celery's own STARTED meta is no result."""
    status = told(ResultRecord(status="STARTED", result={"pid": 3, "hostname": "celery@a"}))

    assert ("celery@a", None) == (status.worker, status.result)


def test_a_revoke_is_confirmed_only_by_celery() -> None:
    """Requested and confirmed are kept apart."""
    wish = Revocation(requested_at=THEN, terminate=True, signal="SIGTERM")

    requested = told(ResultRecord(status="STARTED"), wish).revocation
    confirmed = told(ResultRecord(status="REVOKED", finished_at=LATER), wish).revocation

    assert RevocationStatus(requested_at=THEN, confirmed_at=None, terminate=True) == requested
    assert RevocationStatus(requested_at=THEN, confirmed_at=LATER, terminate=True) == confirmed


def test_an_unreadable_record_is_told_as_such() -> None:
    """UNKNOWN, with the reason."""
    status = told(UNREADABLE)

    assert ("UNKNOWN", "UnreadableResult") == (status.status, status.error and status.error.type)


def test_a_retry_tells_its_lineage() -> None:
    """`retry_of`, `root_id` and `attempt` come from the ledger."""
    status = told(None, lineage=Lineage(retry_of="b", root_id="a", attempt=3))

    assert ("b", "a", 3) == (status.retry_of, status.root_id, status.attempt)
