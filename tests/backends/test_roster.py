"""Who is there, what it is and does: from what was heard and answered, at moments that the test chooses."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.backends.observing.heartbeats import Heartbeats, Word
from gateway.backends.observing.roster import LOST_KEPT_S, MOST_KNOWN, MOST_LOST, MOST_STRANGERS, SILENT_MOST_S, Roster
from gateway.backends.observing.words import Pulse, Tasks, read_pulse, read_word
from gateway.ports import WorkerView

STATS = {"pid": 7, "pool": "prefork", "concurrency": 2}
NEVER = datetime.fromtimestamp(0, UTC)
SOLO = {**STATS, "pool": "solo"}


class Scene:
    """A roster, and workers that speak to it."""

    def __init__(self) -> None:
        self.heartbeats = Heartbeats()
        self.roster = Roster(self.heartbeats, answer_period_s=5)
        self.roster.listen(0)

    def beat(self, now: float, worker: str = "w", *, kind: str = "worker-heartbeat", pid: int | None = 7) -> None:
        """Hear a heartbeat."""
        self.roster.hear(worker, Word(kind=kind, pid=pid), Pulse(active_count=1), now=now)

    def describe(
        self, now: float, worker: str = "w", *, stats: dict[str, Any] = STATS, names: tuple[str, ...] = ("a",)
    ) -> None:
        """Take the answers that say what a worker is."""
        for method, answer in (("registered", names), ("active_queues", ("q",)), ("stats", stats)):
            self.roster.take_answer(worker, method, answer, now=now)

    def look(self, now: float) -> dict[str, WorkerView]:
        """Publish, and return what is shown."""
        self.roster.note_heard(now)
        self.roster.publish(now)
        return self.roster.view.workers


@pytest.fixture
def scene() -> Scene:
    """Somebody has begun to listen."""
    return Scene()


def test_a_worker_is_shown_with_what_it_is(scene: Scene) -> None:
    """Once it has said so."""
    scene.beat(1)
    before = scene.look(1.1)
    scene.describe(1.5)
    scene.roster.take_answer("w", "active", Tasks(({"task_id": "x"},), 1), now=1.5)

    shown = scene.look(2)["w"]

    assert {} == before
    assert (True, True, ("a",), ("q",), 2) == (
        shown.online, shown.is_described, shown.registered, shown.queues, shown.concurrency,
    )  # fmt: skip
    assert ({"task_id": "x"},) == shown.active


@pytest.mark.parametrize("skew_s", [-3600, 3600])
def test_a_worker_whose_clock_is_wrong_is_alive_as_any_other(scene: Scene, skew_s: float) -> None:
    """And gone like any other; how wrong it is, is shown."""
    for now in (100, 102, 104):
        beat = {"type": "worker-heartbeat", "pid": 7, "freq": 2, "timestamp": now + skew_s}
        scene.roster.hear("w", read_word(beat), read_pulse(beat, now=now), now=now)
    scene.describe(104)

    alive, gone = scene.look(105)["w"], scene.look(120)["w"]

    assert (True, skew_s, 104) == (alive.online, alive.skew_s, (alive.heard_at or NEVER).timestamp())
    assert (False, 104) == (gone.online, (gone.lost_at or NEVER).timestamp())


def test_one_that_says_nothing_is_shown_without(scene: Scene) -> None:
    """It may take no commands; nobody knows what it runs."""
    for second in range(6):
        scene.beat(second)

    shown = scene.look(6)["w"]

    assert (True, False) == (shown.online, shown.is_described)
    assert scene.roster.view.fleet is not None
    assert ("w",) == scene.roster.view.fleet.untold


def test_one_that_was_killed_is_told_of_for_a_while(scene: Scene) -> None:
    """Offline after five missed heartbeats, and it does nothing any more."""
    scene.beat(1)
    scene.describe(1)
    scene.roster.take_answer("w", "reserved", Tasks((), 9), now=1)
    seen = [scene.look(now)["w"] for now in (10.9, 11.1)]
    gone = scene.look(11.1 + LOST_KEPT_S + 1)

    assert [True, False] == [each.online for each in seen]
    assert [9, 0] == [each.reserved_count for each in seen]
    assert seen[1].lost_at is not None
    assert 1 == seen[1].lost_at.timestamp()
    assert {} == gone


def test_what_a_process_said_does_not_hold_for_the_next_one_of_its_name(scene: Scene) -> None:
    """A renamed task is not taken for registered."""
    scene.beat(1)
    scene.describe(1, names=("a",))
    scene.beat(3, pid=8)
    fleet = scene.look(3) and scene.roster.view.fleet
    scene.describe(4, names=("b",))

    assert not fleet or ("w",) == fleet.untold
    assert ("b",) == scene.look(4)["w"].registered


def test_whoever_comes_back_is_asked_again(scene: Scene) -> None:
    """Also under the same process id."""
    scene.beat(1)
    scene.describe(1)
    scene.look(20)
    asked_before = scene.roster.is_asking_due(20)
    scene.beat(21)
    asked = [scene.roster.is_asking_due(now) for now in (21.1, 21.6, 21.7, 22.6, 24.6, 28.6, 60)]

    assert not asked_before
    assert [False, True, False, True, True, True, False] == asked


def test_one_that_left_is_not_kept_alive_by_a_late_answer(scene: Scene) -> None:
    """But one that answers later is back, though it sends no heartbeats."""
    scene.beat(1)
    scene.describe(1)
    scene.beat(2, kind="worker-offline")
    scene.roster.take_answer("w", "ping", None, now=2.1)
    late = [each.online for each in scene.look(2.2).values()]
    scene.describe(20)

    assert True not in late
    assert scene.look(20)["w"].online


def test_one_with_the_solo_pool_may_be_silent_while_it_works(scene: Scene) -> None:
    """Not for ever."""
    scene.beat(1)
    scene.describe(1, stats=SOLO)

    seen = [scene.look(now)["w"].online for now in (60, SILENT_MOST_S, SILENT_MOST_S + 2)]

    assert [True, True, False] == seen


def test_while_nothing_is_heard_what_is_known_stays(scene: Scene) -> None:
    """Nobody is gone because a broker is; who was gone before stays so."""
    scene.beat(1, "lost")
    scene.describe(1, "lost")
    scene.beat(11, "alive")
    scene.describe(11, "alive")
    scene.look(12)
    scene.roster.pause()
    paused = scene.roster.view
    scene.roster.listen(300)
    later = scene.look(301)

    assert {"alive": True, "lost": False} == {name: each.online for name, each in paused.workers.items()}
    assert {"alive": True, "lost": False} == {name: each.online for name, each in later.items()}
    assert (False, 12) == (paused.is_heard, paused.as_of and paused.as_of.timestamp())


def test_the_first_look_takes_its_time(scene: Scene) -> None:
    """So long that whoever is there has answered a ping."""
    scene.look(0.5)
    early = scene.roster.view.as_of
    scene.look(2)

    assert early is None
    assert scene.roster.view.as_of is not None


def test_however_many_names_are_heard_of_few_are_kept(scene: Scene) -> None:
    """And those that answered are not driven out by those that only claim to be there."""
    scene.beat(1, "real")
    scene.describe(1, "real")
    for number in range(MOST_STRANGERS + 500):
        scene.beat(1, f"fake-{number}")

    shown = scene.look(6)

    assert MOST_STRANGERS + 1 == len(shown)
    assert shown["real"].is_described


def test_thousands_of_workers_over_time_leave_a_bounded_memory(scene: Scene) -> None:
    """Those that were lost last are told of."""
    for number in range(3000):
        scene.describe(number * 30, f"w{number}")
        if number % 500 == 499:
            scene.look(number * 30)

    for number in range(MOST_KNOWN + 5):
        scene.describe(100_000, f"v{number}")
    most = len(scene.look(100_000))
    lost = scene.look(100_100)

    assert MOST_KNOWN >= most > MOST_KNOWN - MOST_LOST
    assert MOST_LOST == len(lost)


def test_who_is_alive_is_known_to_whoever_asks(scene: Scene) -> None:
    """Questions are for those alone."""
    before = scene.roster.is_anybody_alive
    scene.beat(1)
    scene.look(1)
    alive = scene.roster.is_anybody_alive
    scene.look(60)

    assert (False, True, False) == (before, alive, scene.roster.is_anybody_alive)
