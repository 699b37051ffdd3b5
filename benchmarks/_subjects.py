"""The servers that are measured, each a process of its own on a free loopback port."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import yaml

from gateway.demo.valkey import find_free_port

HERE = Path(__file__).parent
ROOT = HERE.parent
HOST = "127.0.0.1"
BASELINES = HERE / "baselines"
VENV = HERE / ".venv"
PARAMS = {"company_id": "76123456-7", "months": 3}
BY_NAME = {"task_type": "sii.sync_documents", "params": PARAMS}
API = "/api/celery"
LAUNCH, LAUNCH_TYPED, LAUNCH_BATCH = (
    f"{API}/tasks/launch",
    f"{API}/tasks/launch/sii.sync_documents",
    f"{API}/tasks/launch/batch",
)


class Server(NamedTuple):
    """A server that answers."""

    url: str
    pid: int


def make_venv() -> str:
    """Make the environment of the baselines once; return its interpreter."""
    python = VENV / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        requirements = str(BASELINES / "requirements.txt")
        subprocess.run(
            [str(python), "-m", "pip", "-qq", "--disable-pip-version-check", "install", "-r", requirements], check=True
        )
    return str(python)


def read_rss_mb(pid: int) -> float:
    """Return the memory that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


@contextlib.contextmanager
def run_gateway(redis_url: str, *, config: Path = ROOT / "tasks.yaml", **settings: str) -> Iterator[Server]:
    """Run the gateway."""
    fixed = {"GATEWAY_CONFIG": str(config), "GATEWAY_LOG_LEVEL": "error", "GATEWAY_DRAIN_S": "0"}
    env = {"GATEWAY_BROKER_URL": redis_url, **fixed, **settings}
    with _run([sys.executable, "-m", "gateway", "serve", "--port", "{port}"], env) as server:
        yield server


def write_thousand(config: Path, *, description: str = "") -> None:
    """Write a file of 1,000 task types, those of the demo among them; all others have the description."""
    tasks = yaml.safe_load((ROOT / "tasks.yaml").read_text())
    sample = tasks["tasks"]["sii.sync_documents"]
    sample = sample | {"description": description or sample["description"]}
    tasks["tasks"] |= {f"other.task_{number}": sample for number in range(1000 - len(tasks["tasks"]))}
    dumper = yaml.SafeDumper
    dumper.ignore_aliases = lambda *_: True  # type: ignore[method-assign]
    new = config.with_suffix(".new")
    new.write_text(yaml.dump(tasks, Dumper=dumper, allow_unicode=True))
    new.rename(config)


@contextlib.contextmanager
def run_guarded(redis_url: str) -> Iterator[tuple[Server, str]]:
    """Run the gateway with API keys, and make one whose role has rights in the file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "keys")
        argv = [sys.executable, "-m", "gateway", "keys", "new", "--name", "bench", "--role", "operators"]
        made = subprocess.run([*argv, "--file", str(file)], check=True, capture_output=True, text=True)
        with run_gateway(redis_url, GATEWAY_API_KEYS_FILE=str(file)) as server:
            yield server, made.stdout.strip()


@contextlib.contextmanager
def run_thousand(redis_url: str) -> Iterator[Server]:
    """Run the gateway with 1,000 task types, the one that is launched among them."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "tasks.yaml")
        write_thousand(config)
        with run_gateway(redis_url, config=config) as server:
            yield server


@contextlib.contextmanager
def run_asgi(module: str, redis_url: str, *, python: str = sys.executable) -> Iterator[Server]:
    """Run an ASGI app of the baselines under uvicorn."""
    argv = [python, "-m", "uvicorn", f"{module}:app", "--port", "{port}", "--loop", "uvloop", "--http", "httptools"]
    with _run([*argv, "--no-access-log", "--log-level", "error"], {"BENCH_REDIS": redis_url}, cwd=BASELINES) as server:
        yield server


@contextlib.contextmanager
def run_flower(redis_url: str, *, python: str) -> Iterator[Server]:
    """Run Flower."""
    argv = [
        python,
        "-m",
        "celery",
        "-A",
        "flower_app",
        "flower",
        f"--address={HOST}",
        "--port={port}",
        "--logging=error",
    ]
    env = {"BENCH_REDIS": redis_url, "FLOWER_UNAUTHENTICATED_API": "true"}
    with _run(argv, env, cwd=BASELINES) as server:
        yield server


@contextlib.contextmanager
def alone(server: Server, among: Iterable[Server]) -> Iterator[None]:
    """Let one server run, and the others wait: even an idle one asks its broker about workers."""
    others = {other.pid for other in among} - {server.pid}
    try:
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def _run(argv: list[str], env: dict[str, str], *, cwd: Path = ROOT) -> Iterator[Server]:
    port = find_free_port(HOST)
    argv = [word.replace("{port}", str(port)) for word in argv]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(argv, cwd=cwd, env=os.environ | env, stdout=log, stderr=log)
        try:
            _wait_for(port, process)
            yield Server(f"http://{HOST}:{port}", process.pid)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://{HOST}:{port}/", timeout=5)
            return
        time.sleep(0.05)
    raise SystemExit(f"{process.args} does not listen")
