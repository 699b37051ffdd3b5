"""Rows of an SQL result backend become the JSON that a Redis would hold; whatever else they hold is marked, and never built."""

import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from gateway.backends.results.stored_row import StoredRow, write_record
from gateway.status.record import read_record

DONE = datetime(2026, 11, 25, 9, 30, 1, 5)  # noqa: DTZ001 - as a column without a zone holds it


def describe(result: Any, **columns: Any) -> Any:
    """Read back what is written of one row."""
    return read_record(
        write_record(StoredRow(**{"task_id": "x", "status": "SUCCESS", "result": result} | columns), zone=UTC)
    )


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        pytest.param(b'{"a": [1, 2.5, "\xc3\xa9"]}', {"a": [1, 2.5, "é"]}, id="JSON"),
        pytest.param(memoryview(b"7"), 7, id="as some drivers give it"),
        pytest.param("[7]", [7], id="text"),
        pytest.param(None, None, id="NULL"),
        pytest.param(b"[NaN]", [None], id="NaN"),
        pytest.param(b'"\\ud800"', "?", id="half a character"),
        pytest.param(pickle.dumps(b'{"a": 1}'), {"a": 1}, id="pickled bytes, as before Celery 5.7"),
        pytest.param(pickle.dumps(b"7" * 300), int("7" * 300), id="many pickled bytes"),
        pytest.param(pickle.dumps("tea"), "tea", id="pickled text"),
        pytest.param(pickle.dumps(None), None, id="pickled None"),
    ],
)
def test_what_is_a_string_is_read(stored: object, value: object) -> None:
    """As JSON, or as the string that it is."""
    record = describe(stored)

    assert (True, "SUCCESS", value) == (record.is_readable, record.status, record.result)


class Touch:
    """Leaves a file behind where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("canary"),)


NESTED = b"\x80\x02)" + b"2\x86" * 40 + b"}" + b"q\x00" + b"."


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{'a': 1}", id="no JSON"),
        pytest.param(b'1, "status": "FAILURE"', id="more than a value"),
        pytest.param(b'"\xff"', id="no UTF-8"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"\x00celery-compressed\x00application/x-gzip\x00\x1f\x8b", id="compressed"),
        pytest.param(7, id="a number"),
        pytest.param(pickle.dumps({"a": 1}), id="pickled object"),
        pytest.param(pickle.dumps(ValueError("x")), id="pickled exception"),
        pytest.param(pickle.dumps(Touch()), id="pickled call"),
        pytest.param(pickle.dumps(b"7", protocol=2), id="bytes by a call, as protocol 2 says them"),
        pytest.param(pickle.dumps(b"7")[:-3], id="half a pickle"),
        pytest.param(b"\x80\x04.", id="a pickle of nothing"),
        pytest.param(b"\x80\x04NN.", id="a pickle of two values"),
        pytest.param(b"\x80\x04B\xff\xff\xff\x7f7.", id="a pickle that promises two gigabytes"),
        pytest.param(b"\x80\x04\x8c\x01\xff.", id="a pickle of text that is none"),
        pytest.param(NESTED, id="a pickle that doubles itself"),
    ],
)
def test_whatever_else_is_marked(stored: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its state stands; nothing of it runs."""
    monkeypatch.chdir(tmp_path)

    record = describe(stored)

    assert (False, "SUCCESS", None) == (record.is_readable, record.status, record.result)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        pytest.param({"date_done": DONE}, DONE.replace(tzinfo=UTC), id="a moment"),
        pytest.param({"date_done": str(DONE)}, DONE.replace(tzinfo=UTC), id="a moment as SQLite keeps it"),
        pytest.param({"date_done": DONE.replace(tzinfo=UTC)}, DONE.replace(tzinfo=UTC), id="a moment with its zone"),
        pytest.param({"date_done": "soon"}, None, id="no moment"),
        pytest.param({"date_done": 7}, None, id="a number"),
        pytest.param({}, None, id="none"),
    ],
)
def test_moments_are_read_as_they_come(columns: dict[str, Any], expected: datetime | None) -> None:
    """And what is none is left out."""
    assert expected == describe(b"1", **columns).finished_at


def test_a_moment_is_of_the_zone_of_the_app() -> None:
    """Where the column keeps none."""
    zone = timezone(timedelta(hours=-3))
    row = StoredRow(task_id="x", status="SUCCESS", result=b"1", date_done=DONE)

    assert DONE.replace(tzinfo=zone) == read_record(write_record(row, zone=zone)).finished_at


def test_the_rest_is_kept_in_the_order_of_celery() -> None:
    """What is of the wrong type is left out."""
    whole = StoredRow(task_id="x", status="FAILURE", result=b"1", traceback="t", worker="w", retries=2)
    odd = StoredRow(task_id="x", status=7, result=b"1", traceback=b"t", worker=1, retries="2")

    assert (
        '{"status":"FAILURE","result":1,"traceback":"t","date_done":null,"worker":"w","retries":2,"task_id":"x"}'
        == write_record(whole, zone=UTC).decode()
    )
    assert ["PENDING", 1, None, None, None, None, "x"] == list(json.loads(write_record(odd, zone=UTC)).values())
