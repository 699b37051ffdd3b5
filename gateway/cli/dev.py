"""`gateway dev`: the whole demo in one terminal, from an embedded Valkey to a line to paste.

What comes in: where to listen and which file to serve. What goes out: an exit code. No process outlives it.
"""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from gateway.demo.processes import Process, stop_on_signals, supervise
from gateway.demo.terminal import Terminal
from gateway.demo.valkey import embedded_valkey, find_free_port
from gateway.errors import SettingsError

_BAD_CONFIG = 2
"""The gateway's exit code when tasks.yaml has issues, which it has then listed."""
_GATEWAY = (sys.executable, "-m", "gateway", "serve")
_WORKER = (
    *(sys.executable, "-m", "celery", "--quiet", "-A", "gateway.demo.app", "worker", "--loglevel", "INFO"),
    *("--pool", "prefork", "--concurrency", "2", "-Q", "celery,sii", "-n", "demo@%h"),
    *("--without-gossip", "--without-mingle"),
)
_QUIET = {"PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges"}
"""Celery's warning is for servers; a demo in a container runs as whoever started it."""
_READABLE = {"GATEWAY_LOG_FORMAT": os.environ.get("GATEWAY_LOG_FORMAT") or "text"}
"""The gateway writes to our pipe, but it is read on a terminal."""
_PROMPT = {"GATEWAY_DRAIN_S": os.environ.get("GATEWAY_DRAIN_S") or "0"}
"""No balancer has to turn away from a demo."""
_URLS = ("GATEWAY_BROKER_URL", "GATEWAY_RESULT_URL", "GATEWAY_REDIS_URL")
_WILDCARDS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (only read, to say where to connect)


def dev(*, config: Path, host: str, port: int, insecure: bool = False, gateway: Sequence[str] = _GATEWAY) -> int:
    """Run Valkey, a Celery worker and the gateway until Ctrl-C; `gateway` is the command that serves.

    Shape: 0 when it was stopped from outside, 2 when `config` has issues, 1 for every other end.
    Units: `port` 0 takes a free one.
    """
    terminal, errors = Terminal(1), Terminal(2)
    code = 0
    try:
        with stop_on_signals(), _find_urls(os.environ, host=host, port=port) as (urls, free_port):
            base = _build_base(host, free_port)
            options = ("--config", str(config), "--host", host, "--port", str(free_port))
            serve = (*gateway, *options, *(("--insecure",) if insecure else ()))
            terminal.say(f"Starting a worker and the gateway at {base} …")
            processes = _build_processes(serve, base=base, env=urls)
            code = supervise(processes, announcement=_announce(base), terminal=terminal, errors=errors)
    except SettingsError as error:
        errors.say(f"gateway dev: {error}")
        return 1
    if code == 0:
        terminal.say("Stopped.")
    return code


@click.command("dev", short_help="Run the demo: Valkey, a worker and the gateway.")
@click.option("--config", type=click.Path(path_type=Path), default=Path("tasks.yaml"), show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--insecure", is_flag=True, help="Serve other hosts although no authentication is configured.")
def dev_command(*, config: Path, host: str, port: int, insecure: bool) -> None:
    """Run the demo in this terminal: an embedded Valkey, a Celery worker and the gateway.

    Where GATEWAY_BROKER_URL is set, that broker is used and no Valkey is started.
    """
    sys.exit(dev(config=config, host=host, port=port, insecure=insecure))


@contextlib.contextmanager
def _find_urls(environment: Mapping[str, str], *, host: str, port: int) -> Iterator[tuple[dict[str, str], int]]:
    """Check the port before anything starts; then answer what the children must be told, and the port."""
    free_port = port or find_free_port(host)
    _check_port(host, free_port)
    if environment.get("GATEWAY_BROKER_URL"):
        yield {}, free_port
        return
    with embedded_valkey() as url:
        yield {name: url for name in _URLS if not environment.get(name)}, free_port


def _check_port(host: str, port: int) -> None:
    """Raise SettingsError if the gateway could not listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
        hint = "choose another with --port, or make run PORT=…"
        raise SettingsError(f"cannot listen on {host}, port {port}: {reason.lower()}; {hint}") from error


def _build_processes(serve: tuple[str, ...], *, base: str, env: Mapping[str, str]) -> list[Process]:
    return [
        Process(
            name="gateway",
            argv=serve,
            env={**_READABLE, **_PROMPT, **env},
            ready_url=f"{base}/health/ready",
            plain_codes=(_BAD_CONFIG,),
        ),
        Process(name="worker", argv=_WORKER, env={**env, **_QUIET}, ready_line=" ready."),
    ]


def _build_base(host: str, port: int) -> str:
    reachable = _WILDCARDS.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _announce(base: str) -> str:
    prefix = os.environ.get("GATEWAY_PREFIX", "/api/celery")
    body = '{"task_type": "sii.sync_documents", "params": {"company_id": "76123456-7"}}'
    return f"""
Ready at {base}, documented at {base}/docs. Ctrl-C stops everything. Launch a task:

curl -sS {base}{prefix}/tasks/launch -H 'Content-Type: application/json' -d '{body}'
"""
