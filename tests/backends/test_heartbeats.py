"""Who is gone, and since when: decided from what was heard, and from whether anybody listened."""

from datetime import UTC, datetime

import pytest

from gateway.backends.observing.heartbeats import MOST, Heartbeats, Word

HEARTBEAT = Word(kind="worker-heartbeat", period_s=2.0, pid=1)


def at(seconds: float) -> datetime:
    """Return a moment."""
    return datetime.fromtimestamp(seconds, UTC)


def find(heartbeats: Heartbeats, now: float, *, may_be_silent: bool = False) -> datetime | None:
    """Ask after a worker."""
    return heartbeats.find_lost_at("w", now=now, may_be_silent=may_be_silent)


@pytest.mark.parametrize(
    ("period_s", "now", "lost_at"),
    [
        (2.0, 109.9, None),
        (2.0, 110.1, 100),
        (1.0, 104.9, None),
        (1.0, 105.1, 100),
        (30.0, 249.0, None),
        (30.0, 251, 100),
    ],
)
def test_a_worker_may_miss_a_few_heartbeats(period_s: float, now: float, lost_at: float | None) -> None:
    """As many as it would send in that time, and never fewer than five seconds of them."""
    heartbeats = Heartbeats()
    heartbeats.listen(0)
    heartbeats.hear("w", Word(kind="worker-heartbeat", period_s=period_s), now=100)

    assert (None if lost_at is None else at(lost_at)) == find(heartbeats, now)


def test_a_worker_that_says_goodbye_is_gone_at_once() -> None:
    """Until it is back."""
    heartbeats = Heartbeats()
    heartbeats.listen(0)
    heartbeats.hear("w", HEARTBEAT, now=100)
    heartbeats.hear("w", Word(kind="worker-offline", pid=1), now=101)
    gone = find(heartbeats, 101.5, may_be_silent=True)
    heartbeats.hear("w", Word(kind="worker-online", pid=2), now=102)

    assert (at(101), None) == (gone, find(heartbeats, 103))


def test_silence_counts_only_while_somebody_listens() -> None:
    """A connection that was broken, or a gateway that was down, makes no worker lost."""
    heartbeats = Heartbeats()
    heartbeats.recall({"w": 100})

    before = find(heartbeats, 1000)
    heartbeats.listen(1000)
    early, late = find(heartbeats, 1009), find(heartbeats, 1011)
    heartbeats.pause()
    broken = find(heartbeats, 1020)
    heartbeats.listen(1030)

    assert [None, None, at(100), None, None] == [before, early, late, broken, find(heartbeats, 1035)]


def test_a_worker_never_heard_of_is_waited_for_longer() -> None:
    """It may have begun before anybody listened, and one without heartbeats only answers when it is asked."""
    heartbeats = Heartbeats()
    heartbeats.listen(100)
    early, late = find(heartbeats, 129), find(heartbeats, 131)
    heartbeats.see("w", now=140, period_s=7)

    assert [None, at(100), None, at(140)] == [early, late, find(heartbeats, 170), find(heartbeats, 176)]


def test_one_that_is_silent_while_it_works_is_not_lost() -> None:
    """Nobody can tell."""
    heartbeats = Heartbeats()
    heartbeats.listen(0)
    heartbeats.hear("w", HEARTBEAT, now=1)

    assert find(heartbeats, 1000, may_be_silent=True) is None


def test_a_process_of_the_same_name_did_not_begin_with_the_tasks_of_the_one_before() -> None:
    """By the worker's own clock, which may be another one."""
    heartbeats = Heartbeats()
    heartbeats.listen(0)
    heartbeats.hear("w", HEARTBEAT, now=100)
    heartbeats.hear("w", Word(kind="worker-online", pid=2, at=5000), now=103)
    heartbeats.hear("w", Word(kind="worker-heartbeat", pid=2, at=5002), now=105)

    assert at(100) == heartbeats.find_replaced_at("w", at(4999))
    assert heartbeats.find_replaced_at("w", at(5001)) is None
    assert heartbeats.find_replaced_at("other", at(1)) is None


def test_what_is_remembered_is_bounded() -> None:
    """Those that were not heard of for the longest time are forgotten."""
    heartbeats = Heartbeats()
    for number in range(MOST + 5):
        heartbeats.hear(f"w{number}", HEARTBEAT, now=number)

    beats = heartbeats.take_unsaved()

    assert MOST == len(beats)
    assert "w4" not in beats
    assert {} == heartbeats.take_unsaved()
