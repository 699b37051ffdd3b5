"""What workers say, read: anybody may publish anything, and nothing of it may do harm."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.backends.observing.heartbeats import PERIOD_S
from gateway.backends.observing.questions import METHODS
from gateway.backends.observing.words import (
    MOST_TASKS,
    Tasks,
    read_answer,
    read_name,
    read_pulse,
    read_run_event,
    read_word,
)

NOW = 1_800_000_000.0
BEAT = {
    "type": "worker-heartbeat", "freq": 2.0, "pid": 7, "timestamp": NOW + 90, "active": 3, "processed": 12, "clock": 99,
    "loadavg": [0.5, 0.25, 0.1], "sw_ident": "py-celery", "sw_ver": "5.7.0", "sw_sys": "Linux",
}  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=9) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=9,
)
FIELDS = sorted(BEAT.keys() - {"type"})


def test_a_heartbeat_tells_more_than_that_its_worker_lives() -> None:
    """What it does, what it is, and how wrong its clock goes."""
    word, pulse = read_word(BEAT), read_pulse(BEAT, now=NOW)

    assert (2.0, 7) == (word.period_s, word.pid)
    assert (3, 12, 99, (0.5, 0.25, 0.1), 90.0) == (
        pulse.active_count, pulse.processed_count, pulse.clock, pulse.load, pulse.skew_s,
    )  # fmt: skip
    assert {"ident": "py-celery", "version": "5.7.0", "system": "Linux"} == pulse.software


@pytest.mark.parametrize("freq", [float("nan"), float("inf"), -1, 0, 1e9, True, "2", None, 10**400], ids=str)
def test_a_worker_cannot_say_that_it_never_needs_to_speak(freq: object) -> None:
    """It would never be gone."""
    assert PERIOD_S == read_word(BEAT | {"freq": freq}).period_s


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("celery@wörk er", "celery@wörk er"),
        ("x" * 255, "x" * 255),
        ("x" * 256, None),
        ("", None),
        ("a\x1b[2J", None),
        ("a\nb", None),
        ("a\u202eb", None),
        ("a\ud800", None),
        (7, None),
        (None, None),
    ],
    ids=ascii,
)
def test_a_name_that_cannot_be_shown_is_none(name: object, expected: str | None) -> None:
    """Control characters, lone surrogates, and such as turn a line around."""
    assert expected == read_name(name)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values=st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_no_event_does_harm(values: dict[str, Any]) -> None:
    """Whatever stands in it, what is read of it can be sent to anybody."""
    event = {"type": "worker-heartbeat"} | values

    msgspec.json.encode(
        [read_word(event), read_pulse(event, now=NOW), read_run_event({**event, "type": "task-started"}, "w")]
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(method=st.sampled_from([*METHODS, "ping", "x"]), value=ANYTHING)
def test_no_answer_does_harm(method: str, value: object) -> None:
    """As events."""
    msgspec.json.encode(read_answer(method, value))


def test_an_answer_keeps_what_is_shown() -> None:
    """Never the arguments of a task."""
    task = {"id": "1", "name": "a", "args": ["secret"], "kwargs": {"b": "secret"}, "time_start": NOW, "worker_pid": 5}
    stats = {"pid": 1, "uptime": 2, "total": {"a": 3, "b": "x"}, "prefetch_count": 8,
             "pool": {"implementation": "celery.concurrency.prefork:TaskPool", "max-concurrency": 4}}  # fmt: skip

    read = {
        "active": read_answer("active", [task]),
        "scheduled": read_answer("scheduled", [{"eta": "2026", "request": task}]),
        "registered": read_answer("registered", ["b [rate_limit=1]", "a", 7]),
        "queues": read_answer("active_queues", [{"name": "q"}, {"name": None}, "x"]),
        "stats": read_answer("stats", stats),
    }

    shown = {"task_id": "1", "name": "a", "started_at": datetime.fromtimestamp(NOW, UTC), "pid": 5}
    assert Tasks((shown,), 1) == read["active"]
    assert Tasks(({**shown, "eta": "2026"},), 1) == read["scheduled"]
    assert (("a", "b"), ("q",)) == (read["registered"], read["queues"])
    assert {"pid": 1, "uptime_s": 2, "processed": {"a": 3}, "prefetch": 8, "pool": "prefork", "concurrency": 4} == read[
        "stats"
    ]
    assert "secret" not in json.dumps(read, default=str)


def test_what_is_kept_of_an_answer_is_bounded() -> None:
    """All are counted."""
    held = read_answer("reserved", [{"id": str(number)} for number in range(MOST_TASKS + 50)])

    assert (MOST_TASKS, MOST_TASKS + 50) == (len(held.shown), held.count)
