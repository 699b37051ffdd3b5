"""Differences between the file and the workers."""

from datetime import UTC, datetime

import pytest

from gateway.ports import WorkersView, WorkerView
from gateway.stats.drift import MOST_UNDECLARED, Declared, Drift, find_drift

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DECLARED = (
    Declared("shop.order", "order", "shop"),
    Declared("shop.order_now", "order", "shop"),
    Declared("mail", "mail", "mail"),
)
SOUND = {
    "shop@a": WorkerView(registered=("celery.ping", "order"), queues=("shop",)),
    "mail@a": WorkerView(registered=("mail",), queues=("mail",)),
}


def compare(workers: dict[str, WorkerView], *, as_of: datetime | None = NOW) -> Drift:
    """Compare the declared types with some workers."""
    return find_drift(DECLARED, WorkersView(workers=workers, queues={}, as_of=as_of), digest="d", now=NOW)


def test_where_all_is_as_declared_there_is_none() -> None:
    """Celery's own tasks, and workers that are gone, do not count."""
    drift = compare({**SOUND, "old@a": WorkerView(online=False, registered=("old",), queues=("shop",))})

    assert ("none", (), 2, None) == (drift.status, drift.differences, drift.workers, drift.reason)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            {"shop@a": WorkerView(registered=("order_v2",), queues=("shop",))},
            [("no_worker", "no live worker registers order"),
             ("undeclared", "order_v2 is registered, and no task type launches it")],
            id="renamed",
        ),
        pytest.param(
            {"mail@a": WorkerView(registered=("mail",), queues=("other",))},
            [("no_consumer", "no live worker consumes the queue mail")], id="other queue",
        ),
        pytest.param(
            {"mail@a": WorkerView(registered=("celery.x",), queues=("mail",)),
             "shop@a": WorkerView(registered=("mail", "order"), queues=("shop",))},
            [("no_worker", "no live worker of the queue mail registers mail")], id="registered elsewhere",
        ),
        pytest.param(
            {"shop@b": WorkerView(queues=("shop",))},
            [("uneven", "of the workers of the queue shop, shop@b does not register order")], id="uneven",
        ),
        pytest.param(
            {"shop@a": WorkerView(online=False)},
            [("no_worker", "no live worker registers order"), ("no_consumer", "no live worker consumes the queue shop")],
            id="gone",
        ),
    ],
)  # fmt: skip
def test_each_difference_is_told(change: dict[str, WorkerView], expected: list[tuple[str, str]]) -> None:
    """Once for all task types that it concerns."""
    drift = compare({**SOUND, **change})

    assert ("drift", expected) == (drift.status, [(each.kind, each.detail) for each in drift.differences])


def test_a_difference_names_whom_it_concerns() -> None:
    """Every task type of a name, every worker that lacks the same."""
    lacking = WorkerView(queues=("shop",))
    differences = compare({"shop@b": lacking, "shop@c": lacking, **SOUND, "mail@a": lacking}).differences

    by_kind = {each.kind: each for each in differences}
    assert (("mail",), "mail") == (by_kind["no_consumer"].task_types, by_kind["no_consumer"].queue)
    assert (("shop@b", "shop@c", "mail@a"), ("order",)) == (by_kind["uneven"].workers, by_kind["uneven"].names)


@pytest.mark.parametrize(
    ("workers", "as_of", "reason"),
    [
        pytest.param(SOUND, None, "the workers have not been heard yet", id="unheard"),
        pytest.param({"w": WorkerView(is_described=False)}, NOW, "w has not said yet what it runs", id="untold"),
    ],
)
def test_what_cannot_be_known_is_no_drift(workers: dict[str, WorkerView], as_of: datetime | None, reason: str) -> None:
    """It says why."""
    drift = compare(workers, as_of=as_of)

    assert ("unknown", reason, ()) == (drift.status, drift.reason, drift.differences)


def test_what_is_told_is_bounded() -> None:
    """A worker may register anything."""
    many = WorkerView(registered=tuple(sorted(f"x{number}" for number in range(MOST_UNDECLARED + 5))), queues=("x",))

    found = compare({**SOUND, "x@a": many}).differences

    assert MOST_UNDECLARED == sum(each.kind == "undeclared" for each in found)
