"""Every option of a launch, as a real prefork worker obeys it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.demo.valkey import embedded_valkey
from tests.harness import finish, run_gateway, run_process, wait_for

API = "/api/celery"
TASKS = """
version: 1
defaults: {queue: faults, caller_options: [countdown_s, eta, expires_s, priority]}
tasks:
  note: {name: faults.note, parameters: {number: {type: integer}, seconds: {type: number, default: 0}}}
  limited:
    name: faults.note
    parameters: {number: {type: integer}, seconds: {type: number, default: 0}}
    time_limit_s: 2
    soft_time_limit_s: 1
  hard:
    name: faults.note
    parameters: {number: {type: integer}, seconds: {type: number, default: 0}}
    time_limit_s: 1
"""


class World:
    """A gateway, and what its worker wrote."""

    def __init__(self, http: httpx.Client, runs: Path, launched: dict[str, str]) -> None:
        self.http, self.runs, self.launched = http, runs, launched

    def read_starts(self) -> list[tuple[int, float]]:
        """Return (number, moment) of each start, in their order."""
        words = [line.split() for line in self.runs.read_text().splitlines()]
        return [(int(each[2]), float(each[3])) for each in words if each[0] == "start"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A worker of one process that starts when everything has been launched."""
    folder = tmp_path_factory.mktemp("options")
    config, runs, log = (folder / name for name in ("tasks.yaml", "runs.log", "worker.log"))
    config.write_text(TASKS)
    runs.touch()
    argv = ("celery", "-A", "tests.faults.app", "worker", "-c", "1", "--prefetch-multiplier", "1", "-l", "info")
    with (
        embedded_valkey() as url,
        run_gateway(folder / "g.log", config=config, broker_url=url) as gateway,
        httpx.Client(base_url=gateway, timeout=10) as http,
    ):
        launched = launch_all(http)
        wait_for("the expiry", lambda: http.get(f"{API}/tasks/{launched['expired']}").json()["expires_at"])
        with run_process(*argv, env={"FAULTS_BROKER": url, "FAULTS_RUNS": str(runs)}, log=log):
            wait_for("the worker", lambda: b" ready." in log.read_bytes(), limit_s=30)
            yield World(http, runs, launched)


def launch_all(http: httpx.Client) -> dict[str, str]:
    """Launch one task for each thing to be seen; the least urgent first."""

    def launch(task_type: str, number: int, *, seconds: float = 0, **options: Any) -> str:
        body = {"task_type": task_type, "params": {"number": number, "seconds": seconds}, "options": options}
        answer = http.post(f"{API}/tasks/launch", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["task_id"])

    launched = {"expired": launch("note", 100, expires_s=0.01)}
    launched["delayed"] = launch("note", 101, countdown_s=2)
    for priority in (9, 6, 3, 0):
        for number in range(2):
            launched[f"priority {priority}.{number}"] = launch("note", priority * 10 + number, priority=priority)
    launched["soft"] = launch("limited", 102, seconds=30, priority=9)
    launched["hard"] = launch("hard", 103, seconds=30, priority=9)
    return launched


@pytest.mark.timeout(60)
def test_urgent_tasks_run_first_and_equal_ones_in_their_order(world: World) -> None:
    """On Redis 0 is the most urgent; each step has a list of its own."""
    for name, task_id in world.launched.items():
        if name.startswith("priority"):
            assert "SUCCESS" == finish(world.http, task_id)["status"]

    assert [0, 1, 30, 31, 60, 61, 90, 91] == [number for number, _ in world.read_starts() if number < 100]


def test_an_expired_task_never_runs(world: World) -> None:
    """Its status is REVOKED once a worker has met it."""
    assert "REVOKED" == finish(world.http, world.launched["expired"])["status"]
    assert 100 not in [number for number, _ in world.read_starts()]


def test_a_delayed_task_runs_when_it_is_due(world: World) -> None:
    """Not before, though the worker had nothing else to do."""
    status = finish(world.http, world.launched["delayed"])

    launched_at, finished_at = (datetime.fromisoformat(status[name]) for name in ("launched_at", "finished_at"))
    assert ("SUCCESS", 101) == (status["status"], status["result"])
    assert finished_at - launched_at >= timedelta(seconds=2)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("name", "error"), [("soft", "SoftTimeLimitExceeded"), ("hard", "TimeLimitExceeded")])
def test_a_task_over_its_time_limit_fails(world: World, name: str, error: str) -> None:
    """The soft one is raised within the task, the hard one kills its process."""
    status = finish(world.http, world.launched[name])

    assert "FAILURE" == status["status"]
    assert status["error"]["type"].endswith(f".{error}")
