"""When a task counts as lost, and what is done about it: one row per rule."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.launch.launch import LedgerEntry
from gateway.ports import End, Missing, Remembered, Revocation, Run, TaskError, WorkersView, WorkerView
from gateway.status.vanishing import LOST, Absence, conclude_lost, is_lost, leaves_trace

SINCE = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
NOW = SINCE + timedelta(seconds=11)
BUSY = WorkerView(queues=("q",), active=({"task_id": "id"},), heard_at=NOW)
FULL = WorkerView(queues=("q",), active=({"task_id": "another"},) * 100, heard_at=NOW)
IDLE = WorkerView(queues=("q",), heard_at=NOW)
SOLO = WorkerView(queues=("q",), heard_at=SINCE)
GONE_BY = WorkerView(queues=("q",), heard_at=SINCE, online=False)
OTHER = WorkerView(queues=("other",), heard_at=NOW)


def absent(
    *,
    status: str = "PENDING",
    workers: dict[str, WorkerView] | None = None,
    is_holder_dead: bool = False,
    entry: dict[str, Any] | None = None,
    remembered: dict[str, Any] | None = None,
    **changes: Any,
) -> Absence:
    """A task that is missing for eleven seconds; all its workers have been heard since."""
    row = LedgerEntry(
        task_id="id", task_type="a", name="a", params={}, queue="q", launched_at=SINCE, keep_s=60, digest="d",
        generation=1, **entry or {},
    )  # fmt: skip
    fields: dict[str, Any] = {
        "missing": Missing(task_id="id", is_holder_dead=is_holder_dead), "remembered": Remembered(entry=row, **remembered or {}),
        "status": status, "since": SINCE, "missing_s": 11.0, "now": NOW, "view": WorkersView(workers=workers or {}, queues={}, as_of=NOW),
        "crew": frozenset(), "lost_workers": frozenset(), "worker": None, "exact": frozenset(), "answer_period_s": 3.0,
        "leaves_traces": False,
    }  # fmt: skip
    return Absence(**fields | changes)


KIT = {"workers": {"w": IDLE}, "exact": frozenset({"w"})}
TRACES: dict[str, Any] = {"workers": {"w": IDLE}, "leaves_traces": True}
STARTED = {"status": "STARTED", "worker": "w"}
BACK = {"run": Run(started_at=SINCE, redelivered_at=NOW, redeliveries=1)}
ROWS = [
    pytest.param(absent(), False, id="nobody would have told of a run"),
    pytest.param(absent(**KIT), True, id="all workers have the kit"),
    pytest.param(absent(**KIT, crew=frozenset({"gone"})), False, id="one without it may have had it"),
    pytest.param(
        absent(**KIT, crew=frozenset({"gone"}), lost_workers=frozenset({"gone"})), True, id="which has died since"
    ),
    pytest.param(absent(workers={"w": IDLE, "v": IDLE}, exact=frozenset({"w"})), False, id="another has it not"),
    pytest.param(absent(workers={"w": IDLE, "v": OTHER}, exact=frozenset({"w"})), True, id="but for other queues"),
    pytest.param(absent(workers={}, exact=frozenset({"w"})), False, id="nobody consumes the queue"),
    pytest.param(absent(**KIT, missing_s=9.0), False, id="missing for a short while"),
    pytest.param(absent(**KIT, entry={"reconcile_after_s": 12}), False, id="its type gives it longer"),
    pytest.param(absent(**KIT, entry={"is_plain": False}), False, id="a message that Celery itself has written"),
    pytest.param(absent(**KIT, status="SUCCESS"), False, id="ended"),
    pytest.param(absent(**KIT, remembered={"end": End(status="FAILURE")}), False, id="ended for good"),
    pytest.param(absent(**KIT, remembered={"revocation": Revocation(requested_at=NOW)}), False, id="revoked"),
    pytest.param(absent(**TRACES), True, id="a run would have left a trace"),
    pytest.param(absent(**TRACES | {"workers": {"w": BUSY}}), False, id="a worker has it"),
    pytest.param(absent(**TRACES | {"workers": {"w": FULL}}), False, id="a worker has more than it tells"),
    pytest.param(absent(**TRACES | {"workers": {"w": SOLO}}), False, id="a worker says nothing since"),
    pytest.param(absent(**TRACES | {"workers": {"w": GONE_BY}}), True, id="as it is gone"),
    pytest.param(absent(**TRACES, answer_period_s=4.0), False, id="not all may have been asked since"),
    pytest.param(absent(**TRACES, status="RECEIVED"), True, id="received, and lost then"),
    pytest.param(absent(**TRACES, status="RETRY"), True, id="its retry is lost"),
    pytest.param(
        absent(leaves_traces=True, view=WorkersView(workers={}, queues={}, as_of=NOW, is_heard=False)),
        False,
        id="nobody is heard",
    ),
    pytest.param(
        absent(leaves_traces=True, view=WorkersView(workers={}, queues={}, as_of=None)), False, id="never looked"
    ),
    pytest.param(
        absent(leaves_traces=True, view=WorkersView(workers={}, queues={}, as_of=SINCE)), False, id="not looked since"
    ),
    pytest.param(absent(**TRACES, crew=frozenset({"silent"})), False, id="a worker has not been heard since"),
    pytest.param(
        absent(**TRACES, crew=frozenset({"silent"}), lost_workers=frozenset({"silent"})), True, id="as it is dead"
    ),
    pytest.param(absent(**TRACES, **STARTED), False, id="it runs"),
    pytest.param(absent(**STARTED, lost_workers=frozenset({"w"})), True, id="it ran on a worker that died"),
    pytest.param(absent(**TRACES, status="STARTED"), False, id="it runs, nobody knows where"),
    pytest.param(absent(**TRACES, **STARTED, remembered=BACK), True, id="what ran was before it was sent again"),
    pytest.param(absent(is_holder_dead=True), True, id="whoever claimed it died"),
    pytest.param(absent(is_holder_dead=True, missing_s=1.0), False, id="but only after the same while"),
]


@pytest.mark.parametrize(("absence", "wanted"), ROWS)
def test_it_is_lost_only_if_a_run_would_be_known(absence: Absence, wanted: bool) -> None:  # noqa: FBT001
    """By a claim, by a trace, or by the death of who ran it."""
    assert wanted == is_lost(absence)


GONE = "its message left the queue, and nobody ran it"
REMEDIES = [
    pytest.param(absent(), None, id="sent again"),
    pytest.param(absent(remembered={"run": Run(redeliveries=4)}), None, id="sent again for the fifth time"),
    pytest.param(
        absent(remembered={"run": Run(redeliveries=5)}), ("FAILURE", "its message was lost 6 times"), id="no more"
    ),
    pytest.param(
        absent(entry={"delivery": "at_most_once"}), ("UNKNOWN", f"{GONE}, and it runs at most once"), id="at most once"
    ),
    pytest.param(
        absent(entry={"delivery": "at_most_once"}, is_holder_dead=True, worker="w"),
        ("UNKNOWN", "the worker w died while it ran this task, and it runs at most once"),
        id="at most once, with a dead worker",
    ),
    pytest.param(
        absent(entry={"secrets": ("token",)}),
        ("UNKNOWN", f"{GONE}, and its secret params are not kept: launch it again"),
        id="secrets",
    ),
]


@pytest.mark.parametrize(("absence", "wanted"), REMEDIES)
def test_it_is_sent_again_or_ends_with_a_reason(absence: Absence, wanted: tuple[str, str] | None) -> None:
    """Never in silence."""
    end = conclude_lost(absence)

    assert wanted == (None if end is None else (end.status, end.error and end.error.message))


@pytest.mark.parametrize(
    ("end", "wanted"),
    [
        (End(status="SUCCESS"), True),
        (End(status="FAILURE", error=TaskError(type="ValueError", message="")), True),
        (End(status="FAILURE", error=TaskError(type=LOST, message="")), False),
        (End(status="UNKNOWN"), False),
        (End(status="REVOKED"), False),
    ],
    ids=["success", "failure", "given up", "unknown", "revoked"],
)
def test_only_a_workers_word_is_a_trace(end: End, wanted: bool) -> None:  # noqa: FBT001
    """What a gateway itself has written says nothing of workers."""
    assert wanted == leaves_trace(end)
