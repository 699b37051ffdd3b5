"""The gateway dies at each named step of a launch: with its key, the launch is one task in the end (rows F1 and F2)."""

import asyncio
import json
import os
from collections import Counter

import pytest

from tests.faults.client import find_answers, launch_all
from tests.faults.test_crashes import make_body
from tests.faults.world import World

STEPS = ("received", "before_commit", "sent", "committed", "before_answer")
"""Where broker and ledger are one Redis; the steps of the outbox are proved beside RabbitMQ."""
COMMITS = 2
"""So many round trips at least are made for the launches of one round: its clients are fewer than they."""
TIMES = int(os.environ.get("CHAOS_KILL_POINTS", "1"))
TOGETHER = 20

pytestmark = pytest.mark.timeout(60 + TIMES * len(STEPS) * 10)


def test_a_launch_survives_the_death_of_its_gateway_at_every_step(bare_world: World) -> None:
    """Others are under way with it; each is answered in the end, recorded once and queued once."""
    answers: list[tuple[str, str]] = []
    for index, step in enumerate(step for step in STEPS for _ in range(TIMES)):
        bare_world.start_gateway(TASK_GATEWAY_KILL_AT=f"{step}:{index % count_passes(step) + 1}")
        answers += asyncio.run(insist_through_a_death(bare_world, first=index * TOGETHER))
        bare_world.kill("gateway")
    with bare_world.connect() as client:
        queued = Counter(json.loads(raw)["headers"]["id"] for raw in client.lrange("faults", 0, -1))
        rows = {key.decode().removeprefix("gateway:task:") for key in client.scan_iter("gateway:task:*")}

    task_ids = {task_id for _, task_id in answers}
    assert TOGETHER * TIMES * len(STEPS) == len(answers) == len(task_ids)
    assert task_ids == rows == queued.keys()
    assert {1} == set(queued.values())


def count_passes(step: str) -> int:
    """Count how often a step is surely reached in one round: by each launch, or by each round trip."""
    return TOGETHER if step in {"received", "before_answer"} else COMMITS


async def insist_through_a_death(world: World, *, first: int) -> list[tuple[str, str]]:
    """Launch until the gateway has died, and on when there is another one."""
    launching = asyncio.create_task(launch_all(world.url, TOGETHER, make_body=make_body, first=first))
    await asyncio.to_thread(world.wait_for_death, "gateway")
    await asyncio.to_thread(world.start_gateway)
    return find_answers(await launching)
