"""Workers that exit, or go deaf, when their broker restarts (row F25): somebody starts them again, and nothing is lost.

Celery's workers sometimes end when they find their broker gone (E13); `World.supervise` stands for systemd or Kubernetes.
What a worker had taken by then is put back by Celery itself after the visibility timeout, which is an hour unless it is set.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.world import World
from tests.harness import wait_for

API = "/api/celery"
RESTARTS = int(os.environ.get("CHAOS_BROKER_KILLS", "1"))
VISIBILITY_S = "2"
AT_ONCE = 10
ASKED = 12
"""So often, each time over a connection of its own, both processes of a port are asked."""
pytestmark = pytest.mark.timeout(120 + 30 * RESTARTS)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A Valkey that keeps its files, a gateway of two processes, a worker."""
    world = World(tmp_path)
    try:
        world.start_broker()
        world.start_gateway(GATEWAY_WORKERS="2", GATEWAY_WORKERS_REFRESH_S="1")
        world.start_worker(FAULTS_VISIBILITY_S=VISIBILITY_S)
        yield world
    finally:
        world.close()


def launch(world: World) -> list[str]:
    """Launch some tasks; what was not accepted while the broker came back is launched anew."""

    def try_one() -> str | None:
        answer = httpx.post(
            f"{world.url}{API}/tasks/launch", json={"task_type": "faults.note", "params": {"number": 1}}
        )
        return answer.json()["task_id"] if answer.status_code == 200 else None

    return [wait_for("an accepted launch", try_one) for _ in range(AT_ONCE)]


def ask_all(world: World, path: str) -> list[Any]:
    """Ask every process of the gateway."""
    return [httpx.get(f"{world.url}{path}").json() for _ in range(ASKED)]


def count_workers(world: World) -> set[int | None]:
    """Tell how many workers each process shows in its readiness."""
    return {each["workers"] for each in ask_all(world, "/health/ready")}


def test_no_launch_is_lost_when_broker_and_workers_restart(world: World) -> None:
    """Every process shows within 15 s that no worker is left; what is launched then waits for the next one."""
    wait_for("the worker", lambda: count_workers(world) == {1})
    launched = launch(world)
    for _ in range(RESTARTS):
        world.kill("broker")
        world.start_broker()
        world.supervise()
        launched += launch(world)
    wait_until_run(world, launched)
    wait_for("a worker behind the restarts", lambda: count_workers(world) == {1}, limit_s=30)

    world.kill("worker")
    wait_for("no worker", lambda: count_workers(world) == {0}, limit_s=15)
    wait_for("every process to say so", lambda: list_availability(world) == {"no_worker"}, limit_s=15)
    launched += launch(world)
    world.restart_worker()

    wait_until_run(world, launched)
    assert len(launched) == (RESTARTS + 2) * AT_ONCE


def list_availability(world: World) -> set[str]:
    """List what the processes say of the task type; one that has not looked again yet does not know."""
    return {each["availability"] for each in ask_all(world, f"{API}/tasks/types/faults.note")}


def wait_until_run(world: World, launched: list[str]) -> None:
    """Wait until every task has begun to run; a worker that ends is started again."""

    def are_run() -> bool:
        world.supervise()
        return find_started(world) >= set(launched)

    wait_for("all runs", are_run, limit_s=60)


def find_started(world: World) -> set[str]:
    """Return the tasks that began to run."""
    return {line.split()[1] for line in world.runs.read_text().splitlines() if line.startswith("start ")}
