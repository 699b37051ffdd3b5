"""A worker that is frozen while it waits for work, and killed with a task in its socket (E1): the task runs all the same.

Celery's Redis transport has taken the message out of the queue by then, and put it nowhere else. `make chaos` attacks
CHAOS_ATTACKS times.
"""

import json
import os
import time

import httpx
import pytest

from tests.faults.world import World
from tests.harness import wait_for

ATTACKS = int(os.environ.get("CHAOS_ATTACKS", "1"))
KIT = {"FAULTS_KIT": json.dumps({"lease_s": 2})}
pytestmark = pytest.mark.timeout(60 + 30 * ATTACKS)


def launch(world: World, number: int, **params: float) -> str:
    """Launch a task."""
    return post(world, "faults.note", number=number, **params)


def post(world: World, task_type: str, **params: float) -> str:
    """Launch a task of any type."""
    body = {"task_type": task_type, "params": params}
    answer = httpx.post(f"{world.url}/api/celery/tasks/launch", json=body)
    return str(answer.json()["task_id"])


def look(world: World, task_id: str) -> dict[str, object]:
    """Return the status of a task."""
    status: dict[str, object] = httpx.get(f"{world.url}/api/celery/tasks/{task_id}").json()
    return status


def count_redeliveries(world: World) -> int:
    """Return what the metric says."""
    lines = httpx.get(f"{world.url}/metrics").text.splitlines()
    return sum(int(float(line.split()[1])) for line in lines if line.startswith("gateway_redeliveries_total "))


def is_taken(world: World) -> bool:
    """Tell whether the queue is empty; and nothing is in anybody's hands, as far as Kombu knows."""
    with world.connect() as client:
        return not client.exists("faults", "unacked")


def is_idle(world: World) -> bool:
    """Tell whether a worker waits for work."""
    with world.connect() as client:
        return any(each["cmd"] == "brpop" for each in client.client_list())


def wait_for_success(world: World, task_id: str) -> None:
    """Wait for the end."""
    wait_for(f"SUCCESS of {task_id}", lambda: look(world, task_id)["status"] == "SUCCESS", limit_s=40)


@pytest.mark.parametrize("env", [KIT, {}], ids=["with the kit", "without it"])
def test_the_task_in_the_socket_of_a_killed_worker_runs_once(bare_world: World, env: dict[str, str]) -> None:
    """The reconciler sends it again under its id, and says so."""
    world = bare_world
    world.start_gateway(GATEWAY_WORKERS_REFRESH_S="0.5")
    world.start_worker(concurrency=1, **env)
    wait_for_success(world, launch(world, 0))
    lost: list[str] = []
    for number in range(1, ATTACKS + 1):
        wait_for("the worker to wait", lambda: is_idle(world))
        time.sleep(0.05)  # the moment between its last word and the next BRPOP
        with world.frozen("worker"):
            lost.append(launch(world, number))
            wait_for("Redis to hand it over", lambda: is_taken(world))
            world.kill("worker")
        world.start_worker(concurrency=1, **env)
        wait_for_success(world, lost[-1])
    starts = [line.split()[1] for line in world.runs.read_text().splitlines() if line.startswith("start")]
    redeliveries = [look(world, each)["redeliveries"] for each in lost]
    counted = count_redeliveries(world)
    print(f"\nE1 {ATTACKS} times: {counted} sent again, {len(starts) - 1} runs")

    assert sorted(lost) == sorted(starts[1:])
    assert {1} == set(redeliveries)
    assert ATTACKS == counted


def test_a_task_that_runs_or_ran_without_a_trace_is_not_run_again(bare_world: World) -> None:
    """Without the kit, acknowledged before it runs: no message is anywhere, and no record, while it is all in order."""
    world = bare_world
    world.start_gateway(GATEWAY_WORKERS_REFRESH_S="0.5")
    world.start_worker(FAULTS_UNTRACKED="1")
    wait_for_success(world, launch(world, 0))

    untold = post(world, "faults.leave_no_trace")
    slow = launch(world, 1, seconds=4.0)
    wait_for_success(world, slow)
    starts = [line.split()[1] for line in world.runs.read_text().splitlines() if line.startswith("start")]

    assert (1, 1) == (starts.count(untold), starts.count(slow))
    assert (0, 0) == (look(world, untold)["redeliveries"], look(world, slow)["redeliveries"])
