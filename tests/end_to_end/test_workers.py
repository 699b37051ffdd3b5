"""Workers that come, go, change, are silent, or cannot be asked, as the gateway shows them: real ones, on real brokers."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.demo.valkey import embedded_valkey
from tests.end_to_end.stopping import API, kill
from tests.harness import find_listener, run_gateway, run_process, suspended, wait_for

pytestmark = pytest.mark.timeout(120)
TASKS = """
version: 1
tasks:
  work: {queue: beating, parameters: {seconds: {type: number, default: 0}}, when_unavailable: reject}
  mute: {name: work, queue: mute, when_unavailable: warn}
  solo: {name: work, queue: solo, parameters: {seconds: {type: number, default: 0}}}
"""


class Yard:
    """One broker, one gateway, and workers of three kinds."""

    def __init__(self, folder: Path, broker_url: str, http: httpx.Client) -> None:
        self.folder, self.broker_url, self.http = folder, broker_url, http

    def read(self, path: str) -> Any:
        """Return what a path of the API answers."""
        answer = self.http.get(f"{API}/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def see(self, name: str) -> dict[str, Any] | None:
        """Return what is shown of a worker."""
        worker: dict[str, Any] | None = self.read("stats")["workers"].get(f"{name}@yard")
        return worker

    def is_online(self, name: str) -> bool:
        """Tell whether a worker is shown with what it registers."""
        worker = self.see(name)
        return worker is not None and worker["online"] and worker["registered"] != []

    def find_availability(self, task_type: str) -> str:
        """Return the word of the catalog."""
        return str(self.read(f"tasks/types/{task_type}")["availability"])

    def launch(self, task_type: str, **params: Any) -> httpx.Response:
        """Launch a task."""
        return self.http.post(f"{API}/tasks/launch", json={"task_type": task_type, "params": params})

    @contextmanager
    def worker(self, name: str, *options: str, task: str = "work") -> Iterator[subprocess.Popen[bytes]]:
        """Start a worker of a queue that is called as it."""
        env = {"NAMED_BROKER": self.broker_url, "NAMED_QUEUE": name, "NAMED_TASK": task}
        argv = ("celery", "-A", "tests.end_to_end.named_app", "worker", "-l", "info", "-c", "1", "-n", f"{name}@yard")
        with run_process(*argv, *options, env=env, log=self.folder / f"{name}.log") as process:
            yield process


@contextmanager
def open_yard(folder: Path, broker_url: str, redis_url: str) -> Iterator[Yard]:
    """Run a gateway with its usual settings."""
    config = folder / "tasks.yaml"
    config.write_text(TASKS)
    with (
        run_gateway(folder / "gateway.log", config=config, broker_url=broker_url, redis_url=redis_url) as url,
        httpx.Client(base_url=url, timeout=10) as http,
    ):
        yield Yard(folder, broker_url, http)


@pytest.fixture
def valkey() -> Iterator[str]:
    """A broker of the test's own."""
    with embedded_valkey() as url:
        yield url


def test_workers_are_seen_as_they_are(tmp_path: Path, valkey: str) -> None:
    """New ones within seconds; killed ones offline within five heartbeats; a task renamed by a restart; no lie of the others."""
    with open_yard(tmp_path, valkey, valkey) as yard, ExitStack() as stack:
        wait_for("the first look", lambda: yard.read("stats")["as_of"], limit_s=4)
        nobody = yard.read("drift")
        beating = stack.enter_context(yard.worker("beating", "--heartbeat-interval", "1"))
        stack.enter_context(yard.worker("mute", "--without-heartbeat", "-P", "threads"))
        stack.enter_context(yard.worker("solo", "-P", "solo", "--heartbeat-interval", "1"))
        for name in ("beating", "mute", "solo"):
            log = tmp_path / f"{name}.log"
            wait_for(f"the worker {name}", lambda log=log: b" ready." in log.read_bytes(), limit_s=30)  # type: ignore[misc]
            wait_for(f"a look at {name}", lambda name=name: yard.is_online(name), limit_s=5)  # type: ignore[misc]
        even = wait_for("no drift", lambda: yard.read("drift")["status"] == "none" and yard.read("drift"), limit_s=5)
        assert 200 == yard.launch("solo", seconds=7).status_code
        wait_for("the busy worker", lambda: yard.read("stats")["queues"]["solo"]["waiting"] == 0)

        kill(beating)
        wait_for("the end of the worker", lambda: not yard.is_online("beating"), limit_s=7)
        gone, left = yard.see("beating"), yard.find_availability("work")
        stack.enter_context(yard.worker("beating", "--heartbeat-interval", "1", task="renamed"))
        drift = wait_for("the renamed task", lambda: find(yard.read("drift"), "uneven", "undeclared"), limit_s=12)
        solo = yard.see("solo")
        renamed = yard.see("beating")

    assert ("drift", 0) == (nobody["status"], nobody["workers"])
    assert ("none", 3) == (even["status"], even["workers"])
    assert gone is not None
    assert (False, "no_consumer") == (gone["online"], left)
    assert {("undeclared", "renamed"), ("no_worker", "work")} <= drift
    assert solo is not None
    assert solo["online"]
    assert renamed is not None
    assert (["renamed"], "py-celery") == (renamed["registered"], renamed["software"]["ident"])


def find(drift: dict[str, Any], *kinds: str) -> set[tuple[str, str | None]]:
    """Return the differences, once there is one of some kind."""
    found = {(each["kind"], each.get("name")) for each in drift["differences"]}
    return found if any(kind in kinds for kind, _ in found) else set()


def test_a_frozen_broker_holds_up_no_answer(tmp_path: Path, valkey: str) -> None:
    """What is known is told at once, and that it is old; nothing is refused for what nobody knows."""
    with open_yard(tmp_path, valkey, valkey) as yard:
        wait_for("the first look", lambda: yard.read("stats")["as_of"], limit_s=4)
        sure = yard.launch("work")
        warned = yard.launch("mute")
        with suspended(find_listener(valkey)):
            wait_for("stale stats", lambda: yard.read("stats")["stale"], limit_s=12)
            times = []
            for _ in range(50):
                began = time.perf_counter()
                stats = yard.read("stats")
                times.append(time.perf_counter() - began)
            unknown, drift = yard.find_availability("work"), yard.read("drift")
        wait_for("fresh stats", lambda: not yard.read("stats")["stale"], limit_s=10)

    assert (503, "task_unavailable") == (sure.status_code, sure.json()["code"])
    assert "no worker is online" in sure.json()["detail"]
    assert (200, ["no worker is online"]) == (warned.status_code, warned.json()["warnings"])
    assert sorted(times)[25] < 0.005
    assert stats["age_s"] > 2
    assert ("unknown", "unknown") == (unknown, drift["status"])


def test_workers_of_rabbitmq_are_seen_too(tmp_path: Path, valkey: str, rabbitmq_url: str) -> None:
    """With what waits for them; how old that is, no broker but Redis tells."""
    with open_yard(tmp_path, rabbitmq_url, valkey) as yard:
        wait_for("the first look", lambda: yard.read("stats")["as_of"], limit_s=15)
        assert 200 == yard.launch("mute").status_code
        with yard.worker("solo") as process:
            wait_for("a look at the worker", lambda: yard.is_online("solo"), limit_s=30)
            waiting = wait_for(
                "the depth", lambda: yard.read("stats")["queues"].get("mute", {}).get("waiting") and yard.read("stats")
            )
            wait_for("what the worker runs", lambda: yard.find_availability("solo") == "available")
            wait_for("that it is all", lambda: yard.find_availability("work") == "no_consumer")
            kill(process)

    assert {"waiting": 1, "consumers": 0, "oldest_age_s": None} == waiting["queues"]["mute"]
    assert {"launched": 1} == waiting["task_types"]["mute"]
