"""A RabbitMQ node of the tests' own: its own ports, its own name daemon, its data in a temporary folder."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from gateway.demo.valkey import find_free_port
from tests.harness import find_listener, need, wait_for

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
"""Debian's command in the PATH would change to a user that may not write to our folder."""
CONTROL = "/usr/lib/rabbitmq/bin/rabbitmqctl"
HOST = "127.0.0.1"


@contextmanager
def run_rabbitmq(folder: Path, *, port: int | None = None) -> Iterator[str]:
    """Run a node; yield its URL. With the folder and port of an earlier one it is that node, come back.

    Skips where RabbitMQ is not installed.
    """
    need("rabbitmq-server")
    port = port or find_free_port(HOST)
    epmd_port = str(find_free_port(HOST))
    env = os.environ | {
        "ERL_EPMD_ADDRESS": HOST,
        "ERL_EPMD_PORT": epmd_port,
        "HOME": str(folder),
        "RABBITMQ_DIST_PORT": str(find_free_port(HOST)),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_MNESIA_BASE": str(folder),
        "RABBITMQ_NODENAME": f"gateway{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": HOST,
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
    }
    log = folder / "rabbitmq.log"
    with log.open("wb") as output:
        node = subprocess.Popen([SERVER], env=env, stdout=output, stderr=output, start_new_session=True)

    def is_up() -> bool:
        assert node.poll() is None, log.read_text()
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return True
        return False

    try:
        wait_for("RabbitMQ", is_up, limit_s=45)
        yield f"amqp://guest:guest@{HOST}:{port}//"
    finally:
        with suppress(psutil.NoSuchProcess):
            for process in [*psutil.Process(node.pid).children(recursive=True), psutil.Process(node.pid)]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        node.wait(10)
        for process in psutil.process_iter(["name", "environ"]):
            if process.info["name"] == "epmd" and (process.info["environ"] or {}).get("ERL_EPMD_PORT") == epmd_port:
                process.kill()


def allow_memory(url: str, share: float) -> None:
    """Set the share of the machine's memory beyond which a node takes no more messages."""
    env = find_listener(url).environ()
    argv = [CONTROL, "-n", env["RABBITMQ_NODENAME"], "set_vm_memory_high_watermark", str(share)]
    subprocess.run(argv, env=env, check=True, capture_output=True, timeout=30)
