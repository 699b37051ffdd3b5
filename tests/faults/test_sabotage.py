"""The checker finds what it is there to find: workers that forget their claims, gateways that drop messages or change their word."""

import asyncio
import json

import pytest

from tests.faults.checker import Event, Verdict, find_doubled, judge, read_starts
from tests.faults.client import find_answers, launch_all
from tests.faults.test_crashes import make_body, read_verdict
from tests.faults.world import World, wait_until_quiet

KIT = {"FAULTS_KIT": json.dumps({"lease_s": 5})}
LAUNCHES = 20
DROP_EVERY = 5
pytestmark = pytest.mark.timeout(60)


def run_doubled(world: World, **env: str) -> Verdict:
    """Launch, deliver every message twice, let a worker run what it will, and judge."""
    world.start_gateway()
    calls = asyncio.run(launch_all(world.url, LAUNCHES, make_body=make_body))
    with world.connect() as redis:
        redis.lpush("faults", *reversed(redis.lrange("faults", 0, -1)))
        ledger = frozenset(key.decode().removeprefix("gateway:task:") for key in redis.scan_iter("gateway:task:*"))
    world.start_worker(**KIT | env)
    wait_until_quiet(world, limit_s=30)
    return judge(find_answers(calls), ledger=ledger, starts=read_starts(world.runs.read_text().splitlines()))


@pytest.mark.parametrize(
    ("env", "doubled"), [({}, 0), ({"FAULTS_FORGETFUL": "1"}, LAUNCHES)], ids=["sound", "sabotaged"]
)
def test_a_forgotten_claim_is_found(bare_world: World, env: dict[str, str], doubled: int) -> None:
    """Every task is run twice then, and the checker says which; with claims none is."""
    verdict = run_doubled(bare_world, **env)

    assert (LAUNCHES, doubled) == (verdict.answered, len(verdict.ran_twice))
    assert frozenset() == verdict.never_ran | verdict.phantoms | verdict.keys_with_two_tasks


@pytest.mark.parametrize(
    ("program", "dropped"),
    [("tests.watched", 0), ("tests.faults.dropping", LAUNCHES // DROP_EVERY)],
    ids=["sound", "sabotaged"],
)
def test_dropped_publishes_are_found(bare_world: World, program: str, dropped: int) -> None:
    """A build that drops one message in five, and says that all were launched: the checker names each that never ran."""
    bare_world.start_gateway(program=program, DROP_EVERY=str(DROP_EVERY))
    bare_world.start_worker(**KIT)
    calls = asyncio.run(launch_all(bare_world.url, LAUNCHES, make_body=make_body))
    wait_until_quiet(bare_world, limit_s=30)
    verdict = read_verdict(bare_world, calls)

    assert (LAUNCHES, dropped) == (verdict.answered, len(verdict.never_ran))
    assert frozenset() == verdict.not_in_ledger | verdict.ran_twice | verdict.phantoms


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ("PENDING RECEIVED STARTED halfway SUCCESS SUCCESS", set()),
        ("STARTED RETRY RECEIVED STARTED FAILURE", set()),
        ("STARTED PENDING", {"id-1"}),
        ("RECEIVED PENDING STARTED", {"id-1"}),
        ("SUCCESS STARTED", {"id-1"}),
        ("FAILURE SUCCESS", {"id-1"}),
        ("RETRY SUCCESS RETRY", {"id-1"}),
        ("missing PENDING", {"id-1"}),
    ],
)
def test_a_status_that_moves_back_is_found(shown: str, found: set[str]) -> None:
    """Among the answers about another task, which moves on; a word of a task's own is like STARTED."""
    looks = [each for status in shown.split() for each in (("id-1", status), ("id-2", "SUCCESS"))]

    verdict = judge([("1", "id-1"), ("2", "id-2")], ledger=frozenset({"id-1", "id-2"}), starts=(), looks=looks)

    assert found == verdict.moved_back


def test_a_run_beside_a_living_worker_is_found() -> None:
    """A second run after a death is none; of three workers the first died, and nobody knows of a death of the others."""
    events = [
        Event("start", "doubled", "1", 1.0, 100),
        Event("start", "taken over", "2", 2.0, 100),
        Event("start", "taken over", "2", 4.0, 200),
        Event("start", "doubled", "1", 2.5, 200),
        Event("start", "delivered late", "3", 5.0, 200),
        Event("start", "delivered late", "3", 6.0, 300),
        Event("start", "single", "4", 6.0, 300),
    ]

    assert {"doubled", "delivered late"} == find_doubled(events, deaths={100: 3.0})


def test_one_publish_in_a_thousand_that_is_dropped_is_found() -> None:
    """Of a history in which everything else is in order, as a build writes it that drops one."""
    answers = [(str(number), f"id-{number}") for number in range(1000)]
    starts = [each for each in answers if each[0] != "617"]

    verdict = judge(answers, ledger=frozenset(task_id for _, task_id in answers), starts=starts)

    assert {"id-617"} == verdict.never_ran
    assert frozenset() == verdict.ran_twice | verdict.phantoms | verdict.keys_with_two_tasks
