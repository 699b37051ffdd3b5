"""A place where tasks are launched and revoked: gateways, workers that come and go, and what ran, on paper."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.harness import run_gateway, run_process, wait_for

API = "/api/celery"
TASKS = """
version: 1
defaults: {queue: faults}
tasks:
  note:
    name: faults.note
    parameters:
      number: {type: integer, default: 0}
      seconds: {type: number, default: 0}
    caller_options: [countdown_s, priority]
  once:
    name: faults.note
    delivery: at_most_once
    parameters:
      number: {type: integer, default: 0}
      seconds: {type: number, default: 0}
  limited:
    name: faults.note
    time_limit_s: 1
    parameters:
      number: {type: integer, default: 0}
      seconds: {type: number, default: 0}
  stop_when_asked: {name: faults.stop_when_asked}
  retry: {name: faults.retry}
"""
TASKS_OF_QUEUE = """
  note_{queue}:
    name: faults.note
    queue: {queue}
    parameters:
      number: {{type: integer, default: 0}}
      seconds: {{type: number, default: 0}}
  retry_{queue}: {{name: faults.retry, queue: {queue}}}
"""


class Place:
    """One broker with its gateways and workers."""

    http: httpx.Client
    """Speaks to the gateway that was started last."""

    def __init__(
        self, folder: Path, broker_url: str, *, ledger_url: str | None = None, queues: Sequence[str] = ()
    ) -> None:
        """`queues` have task types of their own: `note_<queue>` and `retry_<queue>`."""
        self.queues = queues
        self.folder, self.broker_url, self.ledger_url = folder, broker_url, ledger_url or broker_url
        self.runs = folder / "runs.log"
        self.runs.touch()

    @contextmanager
    def gateway(self, name: str = "gateway") -> Iterator[str]:
        """Run a gateway; what is asked from now on is asked of it."""
        config = self.folder / "tasks.yaml"
        config.write_text(TASKS + "".join(TASKS_OF_QUEUE.format(queue=queue) for queue in self.queues))
        urls = {"broker_url": self.broker_url, "redis_url": self.ledger_url}
        with (
            run_gateway(self.folder / f"{name}.log", config=config, workers_refresh_s="1", **urls) as url,
            httpx.Client(base_url=url, timeout=10) as self.http,
        ):
            yield url

    @contextmanager
    def worker(self, *options: str, name: str = "worker", **env: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker; yield once it is ready. One that was killed before can come back under its name."""
        argv = (
            "celery",
            "-A",
            "tests.faults.app",
            "worker",
            "-l",
            "info",
            "-n",
            f"{name}@{self.folder.name}",
            *options,
        )
        log = self.folder / f"{name}.log"
        began = log.stat().st_size if log.exists() else 0
        paths = {"FAULTS_BROKER": self.broker_url, "FAULTS_RESULTS": self.ledger_url, "FAULTS_RUNS": str(self.runs)}
        with run_process(*argv, env=paths | env, log=log) as process:
            wait_for("the worker", lambda: b" ready." in log.read_bytes()[began:], limit_s=30)
            yield process

    def launch(self, *, seconds: float = 0, task_type: str = "note", **options: Any) -> str:
        """Launch a task; return its id."""
        params = {"seconds": seconds} if task_type.startswith(("note", "once", "limited")) else {}
        body = {"task_type": task_type, "params": params, "options": options}
        answer = self.http.post(f"{API}/tasks/launch", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["task_id"])

    def launch_many(self, count: int) -> list[str]:
        """Launch tasks in one go."""
        items = [{"task_type": "note", "params": {"number": number}} for number in range(count)]
        answer = self.http.post(f"{API}/tasks/launch/batch", json={"items": items})
        assert answer.status_code == 200, answer.text
        return [each["receipt"]["task_id"] for each in answer.json()["items"]]

    def revoke(self, task_id: str, **query: str) -> dict[str, Any]:
        """Revoke a task that has not ended."""
        answer = self.http.delete(f"{API}/tasks/{task_id}", params=query)
        assert answer.status_code == 200, answer.text
        revoked: dict[str, Any] = answer.json()
        return revoked

    def look(self, task_id: str) -> dict[str, Any]:
        """Return the status of a task."""
        status: dict[str, Any] = self.http.get(f"{API}/tasks/{task_id}").json()
        return status

    def wait_for_status(self, task_id: str, *wanted: str, limit_s: float = 20) -> dict[str, Any]:
        """Wait until a task has one of some statuses."""

        def find() -> dict[str, Any] | None:
            status = self.look(task_id)
            return status if status["status"] in wanted else None

        return wait_for(f"{', '.join(wanted)} of {task_id}", find, limit_s=limit_s)

    def find_started(self) -> set[str]:
        """Return the tasks whose body has run."""
        words = (line.split() for line in self.runs.read_text().splitlines())
        return {each[1] for each in words if each[0] == "start"}

    def read_starts(self, task_id: str) -> list[float]:
        """Return when the body of a task has begun to run, each time."""
        words = (line.split() for line in self.runs.read_text().splitlines())
        return [float(each[3]) for each in words if each[:2] == ["start", task_id]]

    def wait_for_start(self, task_id: str) -> None:
        """Wait until the body of a task runs."""
        wait_for(f"the start of {task_id}", lambda: task_id in self.find_started(), limit_s=30)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a worker with its children, as a machine that loses power."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(5)
