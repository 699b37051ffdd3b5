"""Where the history is looked for, and how what was found is joined."""

import pytest

from gateway.history.filters import Filters
from gateway.history.sources import choose_source, list_sources, merge_places
from gateway.ports import Place

TASK_ID = "01890000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("filters", "sizes", "expected"),
    [
        (Filters(), [9], ["all"]),
        (Filters(status="SUCCESS"), [9], ["all"]),
        (Filters(task_type="a"), [9], ["type:a"]),
        (Filters(task_type="a", status="SUCCESS"), [9], ["type:a"]),
        (Filters(task_type="a", batch=TASK_ID), [9], [f"batch:{TASK_ID}"]),
        (Filters(task_type="a", batch=TASK_ID, retry_of=TASK_ID), [9], ["chain:root"]),
        (Filters(status="FAILURE"), [4, 5], ["open", "ended:FAILURE"]),
        (Filters(status="PENDING"), [4], ["open"]),
        (Filters(is_unfinished=True), [4], ["open"]),
        (Filters(task_type="a", status="FAILURE"), [9, 4, 6], ["type:a"]),
        (Filters(task_type="a", status="FAILURE"), [9, 4, 4], ["open", "ended:FAILURE"]),
        (Filters(task_type="a", is_unfinished=True), [9, 4], ["open"]),
    ],
)
def test_the_narrowest_source_is_walked(filters: Filters, sizes: list[int], expected: list[str]) -> None:
    """Of all that hold every task that is wanted."""
    source = choose_source(list_sources(filters, root_id="root"), sizes)

    assert expected == [f"{each.kind}:{each.name}".rstrip(":") for each in source.indexes]


def make_places(text: str) -> list[Place]:
    """Make places of single letters."""
    return [Place(each, each) for each in text]


@pytest.mark.parametrize(
    ("found", "count", "expected", "is_all"),
    [
        (["cba"], 4, "cba", True),
        (["cba"], 3, "cba", False),
        (["eca", "db"], 4, "edcb", False),
        (["ec", "db"], 4, "edcb", True),
        (["ec", "dc"], 4, "edc", True),  # c moved while it was read
        (["", ""], 4, "", True),
        (["dcba", ""], 4, "dcba", False),
    ],
)
def test_indexes_are_read_as_one(found: list[str], count: int, expected: str, is_all: bool) -> None:  # noqa: FBT001 - a column of the table
    """The newest first; nothing twice."""
    places, ends = merge_places([make_places(each) for each in found], count=count)

    assert (expected, is_all) == ("".join(each.task_id for each in places), ends)
