"""The checker finds what it is there to find: a worker that forgets its claims, a broker that loses one message in a thousand."""

import asyncio
import json

import pytest

from tests.faults.checker import Verdict, judge, read_starts
from tests.faults.client import find_answers, launch_all
from tests.faults.test_crashes import make_body
from tests.faults.world import World, wait_until_quiet

KIT = {"FAULTS_KIT": json.dumps({"lease_s": 5})}
LAUNCHES = 20
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


def test_one_publish_in_a_thousand_that_is_dropped_is_found() -> None:
    """Of a history in which everything else is in order, as a build writes it that drops one."""
    answers = [(str(number), f"id-{number}") for number in range(1000)]
    starts = [each for each in answers if each[0] != "617"]

    verdict = judge(answers, ledger=frozenset(task_id for _, task_id in answers), starts=starts)

    assert {"id-617"} == verdict.never_ran
    assert frozenset() == verdict.ran_twice | verdict.phantoms | verdict.keys_with_two_tasks
