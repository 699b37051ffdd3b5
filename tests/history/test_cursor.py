"""Cursors: passed back as they came, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RefusedParamsError
from gateway.history.cursor import read_cursor, write_cursor
from gateway.history.filters import Filters
from gateway.history.sources import list_sources

TASK_ID = "01890000-0000-7000-8000-000000000000"
FAILED = Filters(status="FAILURE")
AT = "/query/cursor"


@pytest.mark.parametrize(
    ("filters", "position"),
    [
        (Filters(), "1732500000000-3.7"),
        (Filters(batch=TASK_ID), "1732500000000-3.7"),
        (Filters(retry_of=TASK_ID), "12"),
        (FAILED, TASK_ID),
    ],
)
def test_a_cursor_leads_back_to_its_place(filters: Filters, position: str) -> None:
    """In each kind of source."""
    sources = list_sources(filters)

    assert (sources[0], position) == read_cursor(
        write_cursor(sources[0], position, filters), sources, filters, pointer=AT
    )


@pytest.mark.parametrize(
    ("filters", "position", "detail"),
    [
        (Filters(status="REVOKED"), TASK_ID, "this cursor belongs to a query with other filters"),
        (Filters(), TASK_ID, "this cursor belongs to a query with other filters"),
        (FAILED, "1732500000000-3.7", "wanted the next_cursor of an earlier page"),
        (FAILED, "", "wanted the next_cursor of an earlier page"),
    ],
)
def test_a_cursor_of_another_query_is_refused(filters: Filters, position: str, detail: str) -> None:
    """So is one with a position that no source of its kind has."""
    cursor = write_cursor(list_sources(FAILED)[0], position, FAILED)

    with pytest.raises(RefusedParamsError) as refused:
        read_cursor(cursor, list_sources(filters), filters, pointer=AT)

    assert [(AT, "cursor", detail)] == [(each.pointer, each.code, each.detail) for each in refused.value.faults]


@given(st.text(max_size=300) | st.binary(max_size=60).map(lambda raw: raw.hex()))
def test_garbage_is_refused_and_nothing_else(text: str) -> None:
    """Whatever it is made of."""
    with pytest.raises(RefusedParamsError):
        read_cursor(text, list_sources(FAILED), FAILED, pointer=AT)


@pytest.mark.parametrize("text", ["W10", "W10=", "bnVsbA", "WyJhIiwxLCJiIl0", "=", "WyJhIiwiYiIsImMiLCJkIl0", "é"])
def test_json_that_is_no_cursor_is_refused(text: str) -> None:
    """Arrays of another length or other types, null, broken base64."""
    with pytest.raises(RefusedParamsError):
        read_cursor(text, list_sources(FAILED), FAILED, pointer=AT)
