"""Revokes under fire (E11): no task that was revoked before it began ever runs, and none reads REVOKED and runs.

The short forms are in tests/end_to_end; `make chaos` runs this: CHAOS_REVOKES says how many revokes of each kind.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from gateway.demo.valkey import embedded_valkey
from tests.end_to_end.stopping import Place, kill
from tests.harness import wait_for

REVOKES = int(os.environ.get("CHAOS_REVOKES", "0"))
HELD = 25
"""Tasks that a worker holds when it is killed."""

pytestmark = [
    pytest.mark.skipif(not REVOKES, reason="only at length"),
    pytest.mark.timeout(120 + 3 * REVOKES),
]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A broker and a gateway."""
    with embedded_valkey() as url:
        place = Place(tmp_path, url)
        with place.gateway():
            yield place


def find_confirmed(answers: Mapping[str, dict[str, Any]]) -> set[str]:
    """Find the tasks of which it was said that it is certain that they do not run."""
    return {task_id for task_id, answer in answers.items() if answer["revocation"]["confirmed_at"] is not None}


def test_what_waits_never_runs(place: Place) -> None:
    """A: with no worker up, one after the other, each among the same number that shall run."""
    ids = [place.launch(priority=number % 10) for number in range(2 * REVOKES)]
    answers = {each: place.revoke(each) for each in ids[::2]}
    with place.worker("-c", "2"):
        wait_for("the others", lambda: set(ids[1::2]) <= place.find_started(), limit_s=60)
        place.wait_for_status(place.launch(), "SUCCESS")
    ran = answers.keys() & place.find_started()
    confirmed = find_confirmed(answers)
    print(f"\nA: {len(answers)} revoked, {len(confirmed)} confirmed at once; {len(ran)} ran")

    assert {"REVOKED"} == {answer["status"] for answer in answers.values()}
    assert answers.keys() == confirmed
    assert set() == ran


def test_what_a_killed_worker_held_never_runs(place: Place) -> None:
    """B: reserved, revoked, the worker killed and started again, with a short visibility timeout."""
    options = ("-c", "1", "--prefetch-multiplier", str(HELD + 2))
    revoked: set[str] = set()
    confirmed: set[str] = set()
    shown: Counter[str] = Counter()
    while len(revoked) < REVOKES:
        with place.worker(*options, FAULTS_VISIBILITY_S="1") as worker, Redis.from_url(place.broker_url) as redis:
            running = place.launch(seconds=600)
            place.wait_for_start(running)
            held = [place.launch() for _ in range(HELD)]
            wait_for("all to be reserved", lambda held=held: all(redis.hexists("unacked", each) for each in held))
            confirmed |= find_confirmed({each: place.revoke(each) for each in held})
            place.revoke(running)  # or it would be sent again for its dead worker, and hold up the next one
            kill(worker)
        revoked |= set(held)
        with place.worker(*options, FAULTS_VISIBILITY_S="1"):
            place.wait_for_status(place.launch(countdown_s=2), "SUCCESS", limit_s=30)
        looks = {each: place.look(each) for each in held}
        confirmed |= find_confirmed(looks)
        shown.update(status["status"] for status in looks.values())
    ran = revoked & place.find_started()
    print(f"\nB: {len(revoked)} revoked, {len(confirmed)} ever confirmed, shown as {dict(shown)}; {len(ran)} ran")

    assert set() == ran
    assert shown["REVOKED"] == len(confirmed)
