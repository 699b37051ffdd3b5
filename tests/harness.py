"""What the tests run and wait for: real processes on free loopback ports, conditions with a limit."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import pytest

from gateway.demo.valkey import find_free_port

ROOT = Path(__file__).parents[1]
T = TypeVar("T")


def wait_for(describe: str, probe: Callable[[], T | None], *, limit_s: float = 15.0) -> T:
    """Return the first true answer of `probe`; fail with the description when the limit passes."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if answer := probe():
            return answer
        time.sleep(0.02)
    pytest.fail(f"waited {limit_s:g} s for {describe}")


def need(program: str) -> str:
    """Return the path of a program, or skip; in CI its absence is a failure."""
    found = shutil.which(program)
    if found is None:
        message = f"{program} is not installed"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return found


@contextmanager
def run_process(*argv: str, env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of this Python in a group of its own; at the end nothing of it is left."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *argv],
            cwd=ROOT,
            env=clean_environment() | env,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait(5)


def clean_environment() -> dict[str, str]:
    """Return the environment without any setting of a gateway."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}


@contextmanager
def run_gateway(
    log: Path,
    *,
    config: Path = ROOT / "tasks.yaml",
    port: int | None = None,
    kill_at: str | None = None,
    variables: Mapping[str, str] | None = None,
    **settings: str,
) -> Iterator[str]:
    """Run `gateway serve`; yield its base URL once it is live. With `kill_at` it dies at that step of a launch.

    `variables` are of the process, beside its settings.

    Fails at the end if anything has blocked its event loop.
    """
    port = port or find_free_port("127.0.0.1")
    settings = {"drain_s": "0"} | settings
    env = {f"GATEWAY_{name.upper()}": value for name, value in settings.items()} | dict(variables or {})
    if kill_at is not None:
        env["TASK_GATEWAY_KILL_AT"] = kill_at
    url = f"http://127.0.0.1:{port}"
    argv = ("tests.watched", "serve", "--config", str(config), "--port", str(port))
    with run_process(*argv, env=env, log=log) as process:

        def is_live() -> bool:
            if process.poll() is not None:
                pytest.fail(f"gateway serve ended: {log.read_text()}")
            with suppress(httpx.TransportError):
                return httpx.get(f"{url}/health/live").status_code == 200
            return False

        wait_for("gateway serve", is_live)
        yield url
    assert [] == (blocks := find_blocks(log)), "\n".join(blocks)


def find_blocks(log: Path) -> list[str]:
    """Find what `tests.watched` has seen to block the loop: how long, and where."""
    _, *found = log.read_text(errors="replace").split("loop_blocked")
    return [each.partition("\n\n")[0] for each in found]


@contextmanager
def run_worker(
    log: Path, broker_url: str, *, app: str = "gateway.demo.app", **env: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a prefork Celery worker with the demo's tasks; yield once it is ready."""
    argv = ("celery", "-A", app, "worker", "-c", "2", "-Q", "celery,sii", "-l", "info")
    started_at = log.stat().st_size if log.exists() else 0
    with run_process(*argv, env={"GATEWAY_BROKER_URL": broker_url, **env}, log=log) as process:
        wait_for("the Celery worker", lambda: b" ready." in log.read_bytes()[started_at:], limit_s=30)
        yield process


def find_listener(url: str) -> psutil.Process:
    """Find the process that listens on the port of a URL."""
    port = int(url.rpartition(":")[2].partition("/")[0])
    return next(
        psutil.Process(each.pid)
        for each in psutil.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid
    )


@contextmanager
def suspended(process: psutil.Process) -> Iterator[None]:
    """Freeze a process for the length of the block."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def finish(client: httpx.Client, task_id: str, *, limit_s: float = 20.0) -> dict[str, Any]:
    """Follow a task to its final status."""

    def look() -> dict[str, Any] | None:
        answer = client.get(f"/api/celery/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        status: dict[str, Any] = answer.json()
        return status if status["status"] in {"SUCCESS", "FAILURE", "REVOKED"} else None

    return wait_for(f"the end of task {task_id}", look, limit_s=limit_s)
