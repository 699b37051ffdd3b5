"""Concurrency limits under fire: workers and gateways die, and no key ever has more tasks running than its limit."""

import asyncio
from collections import defaultdict
from typing import Any

import pytest

from tests.faults.client import launch_all
from tests.faults.schedule import LAUNCHES, launch_under_fire
from tests.faults.world import World, wait_until_quiet

KEYS = 5
LIMIT = 2

pytestmark = pytest.mark.timeout(60 + LAUNCHES / 5)


def make_body(number: int) -> dict[str, Any]:
    """A launch of one of a few keys."""
    return {
        "task_type": "faults.limited",
        "params": {"number": number, "key": f"key {number % KEYS}", "seconds": 0.005},
    }


def find_most_at_once(lines: list[str]) -> dict[int, int]:
    """Find for each key how many of its tasks ran at the same time; one that was killed counts where it began."""
    steps: dict[int, list[tuple[float, int]]] = defaultdict(list)
    ended = {line.split()[1] for line in lines if line.startswith("end ")}
    for line in lines:
        word, task_id, number, moment, _ = line.split()
        if task_id in ended:
            steps[int(number) % KEYS].append((float(moment), 1 if word == "start" else -1))
    most = {}
    for key, events in steps.items():
        running = 0
        most[key] = max(running := running + step for _, step in sorted(events))
    return most


def test_no_limit_is_passed_and_no_place_stays_taken(world: World) -> None:
    """Each launch insists until it finds a place; after the last crash every key still gives places away."""
    calls, killed = asyncio.run(
        launch_under_fire(world, "gateway", "worker", make_body=make_body, launches=LAUNCHES // 2)
    )
    wait_until_quiet(world, limit_s=60)
    after = asyncio.run(launch_all(world.url, KEYS * LIMIT, make_body=make_body, first=LAUNCHES))
    most = find_most_at_once(world.runs.read_text().splitlines())
    conflicts = sum(call.code == "concurrency_limit" for call in calls)
    print(f"\nkilled {dict(killed)}; {len(calls)} calls, {conflicts} conflicts; most at once {most}")

    assert KEYS * LIMIT == sum(call.status == 200 for call in after)
    assert KEYS == len(most)
    assert max(most.values()) <= LIMIT
    assert conflicts > 0
