"""Who is killed when: drawn from a seed, so that a run can be played again; as long as the environment says."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.faults.client import Call, launch_all
from tests.faults.world import World

KILLS = int(os.environ.get("CHAOS_KILLS", "4"))
LAUNCHES = int(os.environ.get("CHAOS_LAUNCHES", "800"))
IS_LONG = "CHAOS_LAUNCHES" in os.environ
"""True in `make chaos`."""
SEED = int(os.environ.get("CHAOS_SEED", "20261124"))


async def launch_under_fire(
    world: World, *targets: str, make_body: Callable[[int], dict[str, Any]], launches: int = LAUNCHES
) -> tuple[list[Call], Counter[str]]:
    """Launch while random targets are killed and started again; all kills fall within the launches."""
    dice = random.Random(SEED)  # noqa: S311 - a schedule, not a secret
    restart = {"broker": world.start_broker, "gateway": world.start_gateway, "worker": world.start_worker}
    killed: Counter[str] = Counter()
    calls: list[Call] = []
    share = launches // (KILLS + 1)
    for round_ in range(KILLS + 1):
        launching = asyncio.create_task(
            launch_all(world.url, share, make_body=make_body, first=round_ * share, twin_every=4, looks=2)
        )
        if round_ < KILLS:
            await asyncio.sleep(dice.uniform(0.02, 0.2))  # the moment of the crash is what is drawn
            target = dice.choice(targets)
            await asyncio.to_thread(world.kill, target)
            await asyncio.to_thread(restart[target])
            killed[target] += 1
        world.supervise()
        calls += await launching
    return calls, killed
