"""Answers of a gateway, for people to read."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from gateway.client.answers import DryRun, Entry, Problem, Progress, Receipt, RevokeAnswer, Status
from gateway.client.describing import render_catalog, render_entry, render_problem
from gateway.client.rendering import (
    render_dry_run,
    render_history,
    render_receipt,
    render_revoke,
    render_status,
    show_line,
    show_position,
    show_progress,
)
from gateway.client.table import Paper

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
PAPER = Paper()
LEAST = {"task_id": "T1", "task_type": "shop.order", "status": "PENDING"}


def show_status(**members: Any) -> list[str]:
    """Render a status of which only so much is known."""
    status = msgspec.convert({**LEAST, **members}, Status)
    return render_status(status, now=NOW, zone=UTC, paper=PAPER)


def test_a_status_with_nothing_known_is_short() -> None:
    """No row without a value."""
    assert ["PENDING  shop.order", "  task  T1"] == show_status()


def test_a_status_with_everything_known_has_a_row_for_each() -> None:
    """Moments on the reader's clock, durations in words, the result as JSON."""
    lines = show_status(
        status="SUCCESS",
        result={"documents": 37, "text": "\x1b[2J"},
        progress={"current": 3, "total": 12, "percent": 25.0, "message": "month 3"},
        launched_at="2026-11-24T11:57:00Z",
        started_at="2026-11-24T11:57:02Z",
        finished_at="2026-11-24T11:59:30Z",
        queued_s=2.0,
        run_s=148.0,
        worker="demo@host",
        worker_lost_at="2026-11-24T11:59:00Z",
        retries=2,
        retry_of="T0",
        attempt=3,
        batch_id="B",
        revocation={"requested_at": "2026-11-24T11:59:50Z", "terminate": True},
        chain=[{"task_id": "T0", "attempt": 1, "status": "FAILURE", "launched_at": "2026-11-24T11:50:00Z"}],
    )

    assert [
        "SUCCESS  shop.order",
        "  task         T1",
        "  progress     25 %, 3 of 12, month 3",
        "  launched     2026-11-24 11:57:00 (3 minutes ago)",
        "  started      2026-11-24 11:57:02 (2 minutes 58 seconds ago)",
        "  finished     2026-11-24 11:59:30 (30 seconds ago)",
        "  waited       2 seconds",
        "  ran          2 minutes 28 seconds",
        "  worker       demo@host",
        "  worker lost  2026-11-24 11:59:00 (1 minute ago)",
        "  retries      2, by the task itself",
        "  attempt      3, a retry of T0",
        "  batch        B",
        "  revocation   stop requested 10 seconds ago, not confirmed",
        "Result",
        "  {",
        '    "documents": 37,',
        '    "text": "\\u001b[2J"',
        "  }",
        "Attempts",
        "NO  STATUS   LAUNCHED        TASK",
        "1   FAILURE  10 minutes ago  T0",
    ] == lines


@pytest.mark.parametrize(
    ("members", "lines"),
    [
        pytest.param(
            {"error": {"type": "SiiError", "message": "refused\nfor good", "traceback": "Traceback:\n  x\n"}},
            ["Error", "  SiiError: refused", "  for good", "  Traceback:", "    x"],
            id="an error",
        ),
        pytest.param(
            {"result_omitted": "too_large", "result_url": "/tasks/T1/result"},
            ["Result", "  too large to be shown here, but to be had: /tasks/T1/result"],
            id="a large result",
        ),
        pytest.param({"result_omitted": "unreadable"}, ["Result", "  not JSON, so not read"], id="an unreadable result"),
        pytest.param({"result_omitted": "{x}"}, ["Result", "  {x}"], id="a reason of another version"),
        pytest.param({"result": False}, ["Result", "  false"], id="a false result"),
        pytest.param({"chain": [{"task_id": "T0", "attempt": 1, "status": "FAILURE"}]},
                     ["Attempts", "NO  STATUS   LAUNCHED  TASK", "1   FAILURE            T0"], id="a link of no moment"),
    ],
)  # fmt: skip
def test_the_outcome_stands_below_the_facts(members: dict[str, Any], lines: list[str]) -> None:
    """Whatever it is."""
    assert lines == show_status(**members)[2:]


@pytest.mark.parametrize(
    ("revocation", "words"),
    [
        ({}, "revoke requested 1 minute ago, not confirmed"),
        ({"confirmed_at": "2026-11-24T11:59:30Z"}, "revoke requested 1 minute ago, confirmed 30 seconds ago"),
        (
            {"is_withdrawn": True, "confirmed_at": "2026-11-24T11:59:00Z"},
            "revoke requested 1 minute ago, taken out of its queue, confirmed 1 minute ago",
        ),
        (
            {"terminate": True, "is_withdrawn": True},
            "stop requested 1 minute ago, taken out of its queue, not confirmed",
        ),
    ],
)
def test_a_revoke_is_told_with_what_is_confirmed_of_it(revocation: dict[str, Any], words: str) -> None:
    """In the status, and when it is asked for."""
    answer = msgspec.convert(
        {"task_id": "T1", "status": "STARTED", "message": "asked", "revocation": {"requested_at": "2026-11-24T11:59:00Z", **revocation}},
        RevokeAnswer,
    )  # fmt: skip

    assert ["asked", "  task        T1", "  status      STARTED", f"  revocation  {words}"] == render_revoke(
        answer, now=NOW, paper=PAPER
    )


def test_a_receipt_says_how_to_follow() -> None:
    """And what it took the place of."""
    receipt = Receipt(
        task_id="T1", task_type="a", message="a was launched", retry_of="T0", attempt=2, replaced=("T8", "T9")
    )

    assert [
        "a was launched",
        "  task       T1",
        "  attempt    2, a retry of T0",
        "  replaced   T8, T9",
        "  follow it  gateway status T1 --wait",
    ] == render_receipt(receipt, paper=PAPER)


@pytest.mark.parametrize(
    ("params", "options", "lines"),
    [
        ({"a": 1, "b": "x"}, {"queue": "q", "eta": None}, ["  a  1", '  b  "x"', "with", '  queue  "q"']),
        ({}, {}, ["  nothing"]),
    ],
)
def test_a_dry_run_shows_what_would_be_sent(params: dict[str, Any], options: dict[str, Any], lines: list[str]) -> None:
    """Params and options, as JSON."""
    dry_run = DryRun(task_type="a", params=params, options=options, message="nothing was launched")

    assert ["nothing was launched; a would get", *lines] == render_dry_run(dry_run, paper=PAPER)


def test_the_history_is_a_table() -> None:
    """With one remark where there is something to say."""
    items = [
        {"launched_at": "2026-11-24T11:59:58Z"},
        {"status": "FAILURE", "launched_at": "2026-11-24T10:00:00Z", "run_s": 75, "error": {"type": "E", "message": "m"}},
        {"status": "STARTED", "revocation": {"requested_at": "2026-11-24T11:59:00Z"}},
        {"status": "SUCCESS", "run_s": 0.25, "retry_of": "T0", "attempt": 2},
    ]  # fmt: skip

    lines = render_history([msgspec.convert({**LEAST, **each}, Status) for each in items], now=NOW, paper=PAPER)

    assert [
        "STATUS   TASK TYPE   AGE  RAN     TASK",
        "PENDING  shop.order  2 s          T1",
        "FAILURE  shop.order  2 h  1 min   T1    E: m",
        "STARTED  shop.order               T1    a revoke was asked for",
        "SUCCESS  shop.order       0.25 s  T1    attempt 2",
    ] == lines
    assert ["no task"] == render_history([], now=NOW, paper=PAPER)


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (None, ""),
        (Progress(), ""),
        (Progress(percent=33.4), "33 %"),
        (Progress(current=4), "4"),
        (Progress(current=0.5, total=2), "0.5 of 2"),
        (Progress(message="on\nit"), "on it"),
    ],
)
def test_progress_says_what_is_known(progress: Progress | None, words: str) -> None:
    """And nothing else."""
    assert words == show_progress(progress)
    assert words.removeprefix("33 %") == show_position(progress)


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ({}, "PENDING"),
        ({"status": "PROGRESS", "progress": {"percent": 5}}, "PROGRESS  5 %"),
        ({"status": "STARTED", "worker_lost_at": "2026-11-24T11:59:00Z"}, "STARTED  its worker was lost"),
    ],
)
def test_a_change_is_one_line(members: dict[str, Any], line: str) -> None:
    """For a log."""
    assert line == show_line(msgspec.convert({**LEAST, **members}, Status))


SCHEMA: dict[str, Any] = {
    "properties": {
        "item": {"$ref": "#/$defs/name"},
        "count": {"type": ["integer", "null"], "default": 1},
        "token": {"type": "string", "writeOnly": True},
        "kind": {"enum": ["a", 1]},
        "fixed": {"const": 1},
        "any": {},
        "open": True,
        "shut": False,
    },
    "required": ["item"],
    "$defs": {"name": {"type": "string", "description": "Its name."}},
}


def test_the_catalog_is_a_table() -> None:
    """Optional parameters stand in brackets."""
    schema = {"properties": {"item": {}, "count": {}}, "required": ["item"]}
    entries = [
        Entry(task_type="a", title="A", description="Do a.\nAnd more.", parameters=schema, availability="available"),
        Entry(task_type="b", title="B", deprecated=True),
    ]

    assert [
        "TASK TYPE  WORKERS    PARAMETERS    WHAT IT DOES",
        "a          available  item [count]  Do a.",
        "b          unknown                  (deprecated) B",
    ] == render_catalog(entries, paper=PAPER)
    assert ["no task type"] == render_catalog([], paper=PAPER)


def test_an_entry_says_what_each_parameter_takes() -> None:
    """And how its examples are typed."""
    entry = Entry(
        task_type="a", title="A", description="Do a.\n", parameters=SCHEMA, queue="q", tags=("x", "y"), deprecated=True,
        examples=({"item": "a b", "count": 2}, {}), caller_options=("eta",),
    )  # fmt: skip

    assert [
        "a: A",
        "  Do a.",
        "  queue       q",
        "  tags        x, y",
        "  workers     unknown",
        "  options     eta",
        "  deprecated  yes",
        "Parameters",
        "  item   string, required. Its name.",
        "  count  integer or null, optional, default 1.",
        "  token  string, optional, secret.",
        '  kind   "a" or 1, optional.',
        "  fixed  1, optional.",
        "  any    any JSON value, optional.",
        "  open   anything",
        "  shut   nothing",
        "Examples",
        "  gateway launch a 'item=a b' count=2",
        "  gateway launch a",
    ] == render_entry(entry, paper=PAPER)
    assert ["b: ", "  workers  unknown", "  options  none", "Parameters", "  none"] == [
        line for line in render_entry(Entry(task_type="b"), paper=PAPER) if "queue" not in line
    ]


@pytest.mark.parametrize(
    ("problem", "lines"),
    [
        pytest.param({"status": 502, "title": "Bad Gateway"}, ["gateway: Bad Gateway (502 Bad Gateway)"], id="of a proxy"),
        pytest.param(
            {
                "status": 422, "code": "refused_params", "detail": "the request has 4 faults",
                "errors": [
                    {"pointer": "/params/a", "detail": "wanted an integer", "expected": "integer"},
                    {"pointer": "/params/b", "detail": "not one of them", "expected": ["x", 1]},
                    {"pointer": "", "detail": "wanted an object"},
                    {"pointer": "/options/c", "detail": "no such option", "expected": []},
                ],
            },
            [
                "gateway: the request has 4 faults (422 refused_params)",
                "  /params/a: wanted an integer (expected integer)",
                "  /params/b: not one of them (expected one of x, 1)",
                "  the body: wanted an object",
                "  /options/c: no such option",
            ],
            id="faults",
        ),
        pytest.param(
            {"status": 409, "code": "x", "detail": "held by T1", "holders": ["T1", "T2"]},
            ["gateway: held by T1 (409 x)", "  held by T2"],
            id="more holders than the detail names",
        ),
        pytest.param(
            {"status": 503, "code": "x", "detail": "not sure", "task_id": "T1"},
            ["gateway: not sure (503 x)", "  the task in question is T1"],
            id="an uncertain task",
        ),
        pytest.param(
            {"status": 503, "code": "x", "detail": "not sure of T1", "task_id": "T1"},
            ["gateway: not sure of T1 (503 x)"],
            id="an uncertain task that the detail names",
        ),
    ],
)  # fmt: skip
def test_a_problem_is_shown_with_every_fault(problem: dict[str, Any], lines: list[str]) -> None:
    """Its pointer, and what was expected there."""
    assert lines == render_problem(msgspec.convert(problem, Problem))
