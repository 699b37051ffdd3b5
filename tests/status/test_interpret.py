"""TaskStatus tells the ledger's row and Celery's record as one."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.launch.launch import LedgerEntry, Lineage
from gateway.ports import End, Remembered, Revocation, Run, TaskError, WorkersView, WorkerView
from gateway.status.interpreting import Witness, conclude, interpret, is_final
from gateway.status.record import UNREADABLE, ResultRecord
from gateway.status.status import Progress, RevocationStatus, TaskStatus

THEN = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 24, 10, 5, tzinfo=UTC)


def told(
    record: ResultRecord | None,
    revocation: Revocation | None = None,
    *,
    run: Run | None = None,
    end: End | None = None,
    witness: Witness | None = None,
    **entry: Any,
) -> TaskStatus:
    """Interpret a record for a launch of THEN."""
    row = LedgerEntry(
        task_id="id", task_type="a.b", name="a.b", params={}, queue="q", launched_at=THEN, keep_s=60, digest="d",
        generation=3, **entry,
    )  # fmt: skip
    remembered = Remembered(entry=row, revocation=revocation, run=run, end=end)
    return interpret(remembered, record, witness or Witness(now=THEN, prefix="/api"))


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

    assert RevocationStatus(requested_at=THEN, confirmed_at=None, terminate=True, is_withdrawn=False) == requested
    assert RevocationStatus(requested_at=THEN, confirmed_at=LATER, terminate=True, is_withdrawn=False) == confirmed


def test_an_unreadable_record_is_told_as_such() -> None:
    """UNKNOWN, with the reason."""
    status = told(UNREADABLE)

    assert ("UNKNOWN", "UnreadableResult") == (status.status, status.error and status.error.type)


def test_a_retry_tells_its_lineage() -> None:
    """`retry_of`, `root_id` and `attempt` come from the ledger."""
    status = told(None, lineage=Lineage(retry_of="b", root_id="a", attempt=3))

    assert ("b", "a", 3) == (status.retry_of, status.root_id, status.attempt)


def test_an_end_stands_whatever_the_record_says_afterwards() -> None:
    """A second run, or a record that has expired, changes nothing of how the task ended."""
    end = conclude(told(ResultRecord(status="SUCCESS", result=3, finished_at=LATER, worker="celery@a", retries=1)))

    rerun = told(ResultRecord(status="STARTED", result={"hostname": "celery@b"}), end=end)
    expired = told(None, end=end)

    for status in (rerun, expired):
        assert ("SUCCESS", LATER, "celery@a", 1) == (
            status.status, status.finished_at, status.worker, status.retries,
        )  # fmt: skip
        assert (None, "expired") == (status.result, status.result_omitted)


def test_a_failure_is_remembered_when_its_record_has_expired() -> None:
    """Its error stays, without the traceback, and no longer than the ledger holds."""
    failed = {"exc_type": "ValueError", "exc_message": ["x" * 1000], "exc_module": "builtins"}
    end = conclude(told(ResultRecord(status="FAILURE", result=failed, traceback="tb")))

    status = told(None, end=end)

    assert ("FAILURE", TaskError(type="ValueError", message="x" * 300)) == (status.status, status.error)


def test_a_record_that_cannot_be_read_is_not_the_end() -> None:
    """It may be written again, readable; UNKNOWN that was decided is final."""
    assert not is_final(told(UNREADABLE))
    assert is_final(told(None, end=End(status="UNKNOWN")))


def test_a_result_that_is_too_large_is_linked() -> None:
    """Its status and times are told all the same."""
    status = told(ResultRecord(status="SUCCESS", finished_at=LATER, is_whole=False))

    assert ("SUCCESS", None, "too_large", "/api/tasks/id/result") == (
        status.status, status.result, status.result_omitted, status.result_url,
    )  # fmt: skip


def test_events_tell_when_a_task_waited_and_ran() -> None:
    """Seconds between the moments that are known; None where one is not."""
    run = Run(received_at=THEN, started_at=LATER, worker="celery@a")

    received, started = told(None, run=Run(received_at=THEN)), told(None, run=run)
    ended = told(ResultRecord(status="SUCCESS", finished_at=datetime(2026, 11, 24, 10, 6, tzinfo=UTC)), run=run)

    assert ("RECEIVED", None, None) == (received.status, received.started_at, received.queued_s)
    assert ("STARTED", LATER, 300.0, None, "celery@a") == (
        started.status, started.started_at, started.queued_s, started.run_s, started.worker,
    )  # fmt: skip
    assert (300.0, 60.0) == (ended.queued_s, ended.run_s)


def test_a_revoke_that_took_the_message_away_is_certain() -> None:
    """Nobody had it: the task does not run, and no worker has to say so."""
    wish = Revocation(requested_at=THEN, withdrawn_at=LATER, confirmed_at=LATER)

    status = told(None, wish)

    assert ("REVOKED", LATER, True) == (status.status, status.finished_at, is_final(status))
    assert RevocationStatus(requested_at=THEN, confirmed_at=LATER, terminate=False, is_withdrawn=True) == (
        status.revocation
    )


def test_a_running_task_tells_that_its_worker_is_gone() -> None:
    """One that waits, or has ended, has nobody to lose."""
    witness = Witness(now=LATER, lost_at=THEN)

    running = told(ResultRecord(status="STARTED", result={"hostname": "celery@a"}), witness=witness)
    ended = told(ResultRecord(status="SUCCESS"), witness=witness)

    assert (THEN, None) == (running.worker_lost_at, ended.worker_lost_at)


@pytest.mark.parametrize(
    ("worker", "reason"),
    [
        pytest.param(None, "no live worker consumes the queue q", id="no worker"),
        pytest.param(WorkerView(queues=("other",)), "no live worker consumes the queue q", id="another queue"),
        pytest.param(WorkerView(queues=("q",)), "no live worker of the queue q knows the task a.b", id="no such name"),
        pytest.param(WorkerView(queues=("q",), registered=("a.b",)), None, id="only busy"),
    ],
)
def test_a_task_that_waits_for_long_says_what_for(worker: WorkerView | None, reason: str | None) -> None:
    """After ten seconds, from the last look at the workers."""
    view = WorkersView(workers={} if worker is None else {"w": worker}, queues={}, as_of=LATER)

    late = told(None, witness=Witness(now=LATER, view=view))
    early = told(None, witness=Witness(now=THEN, view=view))

    assert (reason, None) == (late.stalled_because, early.stalled_because)
