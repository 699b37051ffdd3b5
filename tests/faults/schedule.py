"""Who is killed or breaks when: drawn from a seed, so that a run can be played again; as long as the environment says."""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from tests.faults.client import Call, launch_all
from tests.faults.proxy import FaultProxy
from tests.faults.world import World
from tests.harness import wait_for

KILLS = int(os.environ.get("CHAOS_KILLS", "4"))
LAUNCHES = int(os.environ.get("CHAOS_LAUNCHES", "800"))
IS_LONG = "CHAOS_LAUNCHES" in os.environ
"""True in `make chaos`."""
SEED = int(os.environ.get("CHAOS_SEED", "20261124"))
Launching = Callable[[int, int], Awaitable[list[Call]]]
"""Launches so many tasks from a number on."""
WIRE = "wire"
AILMENTS: tuple[Callable[[FaultProxy], None], ...] = (
    lambda wire: setattr(wire, "latency_s", 0.03),
    lambda wire: setattr(wire, "is_silent", True),
    lambda wire: setattr(wire, "cut_chance", 0.1),
    lambda wire: setattr(wire, "reset_chance", 0.1),
    lambda wire: wire.drop_replies(b"EVAL", every=5),
    FaultProxy.cut,
)


async def launch_under_fire(
    world: World, *targets: str, make_body: Callable[[int], dict[str, Any]], launches: int = LAUNCHES
) -> tuple[list[Call], Counter[str]]:
    """Launch from a gateway while random targets are killed and started again."""

    async def launch(first: int, count: int) -> list[Call]:
        return await launch_all(world.url, count, make_body=make_body, first=first, twin_every=4, looks=2)

    return await fire(world, *targets, launch=launch, launches=launches, kills=KILLS)


async def fire(
    world: World, *targets: str, launch: Launching, launches: int, kills: int
) -> tuple[list[Call], Counter[str]]:
    """Kill random targets and start them again, all while launches are under way; a `wire` is not killed: it ails."""
    dice = random.Random(SEED)  # noqa: S311 - a schedule, not a secret
    killed: Counter[str] = Counter()
    calls: list[Call] = []
    share = launches // (kills + 1)
    turns: list[str] = []
    for round_ in range(kills + 1):
        launching = asyncio.create_task(launch(round_ * share, share))
        if round_ < kills:
            turns = turns or dice.sample(targets, len(targets))  # so that none is spared for long
            target, after_s, ailment = turns.pop(), dice.uniform(0.02, 0.2), dice.choice(AILMENTS)
            await asyncio.to_thread(_break, world, target, after_s, ailment)
            killed[target] += 1
        world.supervise()
        calls += await launching
        if IS_LONG:
            await asyncio.to_thread(wait_for, "the workers", lambda: is_caught_up(world, 2 * share), limit_s=60)
    return calls, killed


def is_caught_up(world: World, most: int) -> bool:
    """Tell whether few enough messages wait: the kills are for the runs of all tasks, and not for the first of them only."""
    world.supervise()
    with world.connect() as client:
        return int(client.llen("faults")) <= most


def _break(world: World, target: str, after_s: float, ailment: Callable[[FaultProxy], None]) -> None:
    """Break one thing, and have it back; a worker only once it is the one that works."""
    if target == "worker":
        world.wait_for_work()
    time.sleep(after_s)  # the moment of the crash is what is drawn
    if target == WIRE and world.wire is not None:
        assert world.wire.is_used, "nobody goes through the wire"
        ailment(world.wire)
        time.sleep(3 * after_s)
        world.wire.heal()
        return
    world.kill(target)
    {"broker": world.start_broker, "gateway": world.restart_gateway, "worker": world.restart_worker}[target]()
