"""What the result backend holds is untrusted: every record reads, none raises, no class is built."""

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ports import Found
from gateway.status.record import UNREADABLE, ResultRecord, make_safe, read_found, read_record


def test_a_celery_record_is_read_whole() -> None:
    """Every member that Celery writes with result_extended finds its field."""
    raw = json.dumps(
        {
            "status": "SUCCESS",
            "result": {"synced": 3},
            "traceback": None,
            "children": [],
            "date_done": "2026-11-24T10:00:00.5+00:00",
            "worker": "celery@host",
            "retries": 2,
            "task_id": "x",
        }
    ).encode()

    assert read_record(raw) == ResultRecord(
        status="SUCCESS",
        result={"synced": 3},
        finished_at=datetime(2026, 11, 24, 10, 0, 0, 500_000, UTC),
        worker="celery@host",
        retries=2,
    )


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(b"[1]", id="no object"),
        pytest.param(b'{"status": 3}', id="status is no word"),
        pytest.param(pickle.dumps({"status": "SUCCESS"}), id="pickled"),
        pytest.param(b'{"status":"SUCCESS","result":' + b"[" * 200_000, id="too deep and cut off"),
    ],
)
def test_garbage_is_unreadable_and_never_raises(raw: bytes) -> None:
    """A broken record is told as such."""
    assert read_record(raw) is UNREADABLE


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    """Whatever Redis holds, an answer comes."""
    assert isinstance(read_record(raw), ResultRecord)


@pytest.mark.parametrize(
    ("literal", "shown"),
    [
        pytest.param("NaN", None, id="NaN"),
        pytest.param("-Infinity", None, id="infinity"),
        pytest.param('"\\ud800"', "?", id="lone surrogate"),
        pytest.param('{"__type__": "datetime", "__value__": "2026-01-01"}', "2026-01-01", id="kombu datetime"),
        pytest.param("[" * 70 + "]" * 70, None, id="deep"),
    ],
)
def test_what_json_cannot_say_is_shown_safely(literal: str, shown: Any) -> None:
    """Python's lax JSON is turned into strict JSON."""
    result = read_record(f'{{"status": "SUCCESS", "result": {literal}}}'.encode()).result

    while isinstance(result, list) and result:
        result = result[0]
    assert shown == result
    json.dumps(result, allow_nan=False)


def test_integers_beyond_64_bits_survive() -> None:
    """A result is shown as it is when JSON can say it."""
    assert {"n": 2**200} == make_safe({"n": 2**200})


def test_a_record_that_is_too_large_is_read_by_its_ends() -> None:
    """The status stands at its beginning; date, worker and retries at its end."""
    raw = json.dumps(
        {
            "status": "SUCCESS", "result": 'a "date_done": "x" \\\\' * 1000, "traceback": None, "children": [],
            "date_done": "2026-11-24T10:00:00+00:00", "worker": "celery@host", "retries": 2, "task_id": "x",
        }
    ).encode()  # fmt: skip

    record = read_found(Found(head=raw[:500], tail=raw[-500:], size=len(raw)))

    assert ResultRecord(
        status="SUCCESS", finished_at=datetime(2026, 11, 24, 10, 0, 0, 0, UTC), worker="celery@host", retries=2,
        is_whole=False,
    ) == record  # fmt: skip


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_the_ends_of_anything_can_be_read(head: bytes, tail: bytes) -> None:
    """Garbage is unreadable, or says little; it never raises."""
    assert not read_found(Found(head=head, tail=tail, size=10**9)).is_whole or UNREADABLE
