"""A worker that is frozen while it waits for work, and killed with a task in its socket (E1): the task runs all the same.

Celery's Redis transport has taken the message out of the queue by then, and put it nowhere else. `make chaos` attacks
CHAOS_ATTACKS times.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

import httpx
import psutil
import pytest

from tests.faults.checker import read_starts
from tests.faults.plain import PlainClient
from tests.faults.schedule import IS_LONG
from tests.faults.world import World
from tests.harness import wait_for

ATTACKS = int(os.environ.get("CHAOS_ATTACKS", "1"))
FLEET = [f"worker-{number}" for number in range(min(10, ATTACKS))]
"""So many are attacked together."""
KIT = {"FAULTS_KIT": json.dumps({"lease_s": 2})}
pytestmark = pytest.mark.timeout(60 + 30 * ATTACKS)


def launch(world: World, number: int, **params: float) -> str:
    """Launch a task."""
    return post(world, "faults.note", number=number, **params)


def launch_together(world: World, count: int) -> list[str]:
    """Launch tasks in one step."""
    items = [{"task_type": "faults.note", "params": {"number": number}} for number in range(count)]
    answer = httpx.post(f"{world.url}/api/celery/tasks/launch/batch", json={"items": items})
    return [each["receipt"]["task_id"] for each in answer.json()["items"]]


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


def find_waiting(world: World) -> set[str]:
    """Find the tasks that are in the queue, or in anybody's hands as far as Kombu knows."""
    with world.connect() as client:
        queued = {str(json.loads(raw)["headers"]["id"]) for raw in client.lrange("faults", 0, -1)}
        return queued | {key.decode() for key in client.hkeys("unacked")}


def count_idle(world: World) -> int:
    """Count the workers that wait for work: those of the fleet, as a gateway waits for answers with the same command."""
    with world.connect() as client:
        waiting = {int(each["addr"].rpartition(":")[2]) for each in client.client_list() if each["cmd"] == "brpop"}
    owners = {each.pid for each in psutil.net_connections("tcp") if each.laddr.port in waiting}
    return len(owners & {world.find_pid(name) for name in FLEET})


def wait_for_success(world: World, task_id: str) -> None:
    """Wait for the end."""
    wait_for(f"SUCCESS of {task_id}", lambda: look(world, task_id)["status"] == "SUCCESS", limit_s=40)


def start_fleet(world: World, **env: str) -> None:
    """Start as many workers as are attacked together, each with one process."""
    for name in FLEET:
        world.start_worker(name, concurrency=1, level="info", **env)


def attack(world: World, launch: Callable[[int], list[str]]) -> list[str]:
    """Freeze every worker while it waits, launch a task for each, kill all; return the tasks that Redis had handed over.

    A worker asks anew every second: one that was about to gets none, and its task is left in the queue.
    """
    wait_for("the workers", lambda: all(world.is_ready(name) for name in FLEET), limit_s=60)
    wait_for("them to wait", lambda: count_idle(world) == len(FLEET))
    time.sleep(0.05)  # the moment between their last words and the next BRPOP
    with ExitStack() as ice:
        for name in FLEET:
            ice.enter_context(world.frozen(name))
        launched = launch(len(FLEET))
        waiting = find_waiting(world)
        for name in FLEET:
            world.kill(name)
    return [task_id for task_id in launched if task_id not in waiting]


def find_starts(world: World) -> list[str]:
    """Return the tasks that workers started, in order."""
    return [task_id for _, task_id in read_starts(world.runs.read_text().splitlines())]


@pytest.mark.parametrize("env", [KIT, {}], ids=["kit", "bare"])
def test_the_task_in_the_socket_of_a_killed_worker_runs_once(bare_world: World, env: dict[str, str]) -> None:
    """The reconciler sends it again under its id, and says so."""
    world = bare_world
    world.start_gateway(GATEWAY_WORKERS_REFRESH_S="0.5")
    start_fleet(world, **env)
    wait_for_success(world, launch(world, 0))
    lost: list[str] = []
    while len(lost) < ATTACKS:
        attacked = attack(world, lambda count: launch_together(world, count))
        start_fleet(world, **env)
        for task_id in attacked:
            wait_for_success(world, task_id)
        lost += attacked
    starts = Counter(find_starts(world))
    redeliveries = [look(world, each)["redeliveries"] for each in lost]
    counted = count_redeliveries(world)
    ran = sum(starts[each] for each in lost)
    print(f"\nE1 {len(lost)} times, {'kit' if env else 'no kit'}: {counted} sent again, {ran} runs")

    assert {1} == set(starts.values())
    assert {1} == set(redeliveries)
    assert len(lost) == ran == counted


@pytest.mark.skipif(not IS_LONG, reason="only at length")
def test_celery_alone_under_the_same_attack(bare_world: World) -> None:
    """Counted, and held to nothing: acknowledged late, and with a second's patience, of which Celery's default is an hour."""
    world, env = bare_world, {"FAULTS_LATE": "1", "FAULTS_VISIBILITY_S": "1"}
    start_fleet(world, **env)
    attacked: list[str] = []
    with PlainClient.open(world.broker_url) as client:

        def send(count: int) -> list[str]:
            sent = (client.send(number, {"params": {"number": number}}) for number in range(count))
            return [str(call.task_id) for call in sent]

        while len(attacked) < ATTACKS:
            attacked += attack(world, send)
            start_fleet(world, **env)
        wait_for("the workers", lambda: all(world.is_ready(name) for name in FLEET), limit_s=60)
        time.sleep(3)  # what is not put back by now never is: the patience, and the pause between two looks
        [probe] = send(1)
    wait_for("a task that nobody attacks", lambda: probe in find_starts(world))
    ran = Counter(find_starts(world))
    print(f"\nE1 {len(attacked)} times, Celery alone: {len(ran.keys() & set(attacked))} ran")

    assert 1 == ran[probe]


def test_a_task_that_runs_or_ran_without_a_trace_is_not_run_again(bare_world: World) -> None:
    """Without the kit, acknowledged before it runs: no message is anywhere, and no record, while it is all in order."""
    world = bare_world
    world.start_gateway(GATEWAY_WORKERS_REFRESH_S="0.5")
    world.start_worker(FAULTS_UNTRACKED="1")
    wait_for_success(world, launch(world, 0))

    untold = post(world, "faults.leave_no_trace")
    slow = launch(world, 1, seconds=4.0)
    wait_for_success(world, slow)
    starts = find_starts(world)

    assert (1, 1) == (starts.count(untold), starts.count(slow))
    assert (0, 0) == (look(world, untold)["redeliveries"], look(world, slow)["redeliveries"])
