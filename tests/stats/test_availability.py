"""What the workers can run, decided from the view of them."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.ports import WorkersView, WorkerView
from gateway.stats.availability import is_stale, judge_availability

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
ABLE = WorkerView(registered=("a", "b"), queues=("q",))
ELSEWHERE = WorkerView(registered=("a",), queues=("other",))
NEW = WorkerView(is_described=False)
GONE = WorkerView(online=False, registered=("a",), queues=("q",))


def view(*workers: WorkerView, age_s: float = 1, is_heard: bool = True) -> WorkersView:
    """Make a view of some workers."""
    named = {f"w{number}": worker for number, worker in enumerate(workers)}
    return WorkersView(workers=named, queues={}, as_of=NOW - timedelta(seconds=age_s), is_heard=is_heard)


@pytest.mark.parametrize(
    ("seen", "word", "reason"),
    [
        pytest.param(view(ABLE), "available", None, id="able"),
        pytest.param(view(ABLE, NEW, GONE), "available", None, id="one of them able"),
        pytest.param(view(), "no_worker", "no worker is online", id="nobody"),
        pytest.param(view(GONE), "no_worker", "no worker is online", id="gone"),
        pytest.param(view(WorkerView(queues=("q",))), "no_worker", "no live worker registers a", id="unregistered"),
        pytest.param(view(ELSEWHERE), "no_consumer", "no live worker consumes the queue q", id="unconsumed"),
        pytest.param(
            view(ELSEWHERE, WorkerView(queues=("q",))), "no_worker", "no live worker of the queue q registers a",
            id="registered elsewhere",
        ),
        pytest.param(view(NEW), "unknown", "a worker has not said yet what it runs", id="untold"),
        pytest.param(view(ABLE, age_s=11), "unknown", "the broker cannot be asked", id="old"),
        pytest.param(view(ABLE, is_heard=False), "unknown", "the broker cannot be asked", id="unheard"),
        pytest.param(
            WorkersView(workers={}, queues={}, as_of=None), "unknown", "the workers have not been heard yet", id="first",
        ),
    ],
)  # fmt: skip
def test_a_task_type_is_available_or_it_is_said_why_not(seen: WorkersView, word: str, reason: str | None) -> None:
    """Whoever cannot know says so."""
    found = judge_availability(seen, name="a", queue="q", now=NOW)

    assert (word, reason) == (found.word, found.reason)


def test_what_is_known_grows_stale() -> None:
    """Ten seconds after the broker was last heard, or at once when it is known to be away."""
    assert [False, True, True] == [
        is_stale(each, now=NOW) for each in (view(age_s=10), view(age_s=10.1), view(is_heard=False))
    ]
