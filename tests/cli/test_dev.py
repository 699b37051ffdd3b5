"""The demo in one terminal: it starts as a whole, and however it ends, nothing is left."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from celery import Celery

from gateway.demo.valkey import embedded_valkey
from tests.demo.terminal import Demo, build_environment, find_processes, wait_until

RUN = """
import shlex, sys
from pathlib import Path
from gateway.cli.dev import dev
config, port, *gateway = sys.argv[1:]
sys.exit(dev(config=Path(config), host="127.0.0.1", port=int(port), gateway=[sys.executable, "-c", *gateway]))
"""
STUB = """
import http.server, signal, subprocess, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
print("the stub serves", flush=True)
port = int(sys.argv[sys.argv.index("--port") + 1])
server = http.server.HTTPServer(("127.0.0.1", port), Page)
"""
SERVING = STUB + "server.serve_forever()"
STUBBORN = (
    STUB
    + """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(99)"])
server.serve_forever()
"""
)
ENDING = STUB + "server.handle_request(); server.timeout = 3; server.handle_request(); sys.exit('the stub gives up')"
LOUD = STUB + "import threading; threading.Thread(target=server.serve_forever).start()\nwhile True: print('x' * 999)"


def build_command(gateway: str, *, port: int = 0) -> list[str]:
    """Say how to run the demo with a few lines of Python as its gateway."""
    return [sys.executable, "-c", RUN, "tasks.yaml", str(port), gateway]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Start demos, and end what a failed test leaves."""
    demos: list[Demo] = []

    def start_one(gateway: str, *, port: int = 0, **environment: str) -> Demo:
        demos.append(Demo(tmp_path, build_command(gateway, port=port), **environment))
        return demos[-1]

    yield start_one
    for demo in demos:
        for process in demo.find_processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        demo.popen.wait(5)
        demo.close()


def press_ctrl_c(demo: Demo) -> None:
    """Type it: the terminal makes the signal."""
    os.write(demo.master, b"\x03")


def hang_up(demo: Demo) -> None:
    """Close the window."""
    demo.close()


def send(number: signal.Signals) -> Callable[[Demo], None]:
    """Send one signal to the supervisor alone."""
    return lambda demo: demo.popen.send_signal(number)


ENDS = [
    pytest.param(press_ctrl_c, id="Ctrl-C"),
    pytest.param(hang_up, id="the terminal goes away"),
    pytest.param(send(signal.SIGTERM), id="SIGTERM"),
    pytest.param(send(signal.SIGHUP), id="SIGHUP"),
    pytest.param(send(signal.SIGKILL), id="the supervisor is killed"),
]


@pytest.mark.parametrize("end", ENDS)
def test_nothing_outlives_the_demo(start: Callable[..., Demo], tmp_path: Path, end: Callable[[Demo], None]) -> None:
    """However the demo ends, every process is gone within five seconds, and so are the data."""
    demo = start(SERVING)
    demo.wait_for("curl -sS")
    names = {process.name() for process in demo.find_processes()}
    assert "valkey-server" in names
    assert len(demo.find_processes()) >= 9  # the supervisor, three leashes, what they hold, two pool processes

    end(demo)
    took_s = wait_until(lambda: not demo.find_processes(), timeout_s=10)

    assert took_s < 5
    assert [] == demo.find_processes()
    assert [] == [*tmp_path.glob("gateway-valkey-*")]


@pytest.mark.parametrize("end", ENDS)
def test_nothing_outlives_a_start_that_is_stopped(
    start: Callable[..., Demo], tmp_path: Path, end: Callable[[Demo], None]
) -> None:
    """A demo that is stopped while it starts leaves nothing either."""
    demo = start("import time; time.sleep(60)")
    demo.wait_for("Starting")

    end(demo)

    assert wait_until(lambda: not demo.find_processes(), timeout_s=10) < 5
    assert [] == [*tmp_path.glob("gateway-valkey-*")]


@pytest.mark.parametrize("end", ENDS)
def test_processes_that_ignore_sigterm_are_killed(start: Callable[..., Demo], end: Callable[[Demo], None]) -> None:
    """A process that will not end, or whose child will not, gets SIGKILL with its group."""
    demo = start(STUBBORN)
    demo.wait_for("curl -sS")

    end(demo)

    assert wait_until(lambda: not demo.find_processes(), timeout_s=10) < 5


@pytest.mark.parametrize("end", ENDS)
def test_a_running_task_does_not_hold_the_shutdown(start: Callable[..., Demo], end: Callable[[Demo], None]) -> None:
    """A worker that is busy for a minute is gone in time as well."""
    with embedded_valkey() as url, contextlib.closing(Celery(broker=url)) as client:
        demo = start(SERVING, GATEWAY_BROKER_URL=url, DEMO_TASK_SECONDS="60")
        demo.wait_for("curl -sS")
        client.send_task("sii.sync_documents", kwargs={"company_id": "a"}, queue="sii")
        demo.wait_for("received")

        end(demo)

        assert wait_until(lambda: not demo.find_processes(), timeout_s=10) < 5


def test_a_terminal_that_is_not_read_does_not_hold_the_shutdown(tmp_path: Path) -> None:
    """Output that nobody takes blocks nothing: SIGTERM still ends everything in time."""
    marker = str(uuid.uuid4())
    environment = {**build_environment(), "DEV_TEST": marker, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(build_command(LOUD), env=environment, stdout=subprocess.PIPE) as demo:
        assert wait_until(lambda: len(find_processes(marker, tmp_path)) >= 9, timeout_s=30) < 30

        demo.terminate()

        assert wait_until(lambda: not find_processes(marker, tmp_path), timeout_s=10) < 5


def test_a_hang_up_that_only_make_hears_ends_it_too(tmp_path: Path) -> None:
    """Where another process leads the session and ignores the hang-up, the demo notices by itself."""
    leader = 'trap : HUP; "$0" "$@"; true'
    demo = Demo(tmp_path, ["bash", "-c", leader, *build_command(SERVING)])
    demo.wait_for("curl -sS")

    demo.close()

    assert wait_until(lambda: not demo.find_processes(), timeout_s=10) < 5
    demo.popen.wait(5)


def test_it_says_what_to_paste(start: Callable[..., Demo]) -> None:
    """Once all is ready it prints where it is and one line that launches a task."""
    demo = start(SERVING)
    demo.wait_for("curl -sS")
    base = demo.output.split("Ready at ")[1].split(",")[0]

    press_ctrl_c(demo)

    assert demo.wait_for_end() == 0
    assert f"documented at {base}/docs" in demo.output
    assert (
        f"curl -sS {base}/api/celery/tasks/launch -H 'Content-Type: application/json'"
        """ -d '{"task_type": "sii.sync_documents", "params": {"company_id": "76123456-7"}}'\n"""
    ) in demo.output
    assert "gateway | the stub serves\n" in demo.output
    assert "worker | " in demo.output
    assert demo.output.endswith("Stopped.\n")


def test_a_broker_of_ones_own_is_used(start: Callable[..., Demo], valkey_url: str) -> None:
    """With GATEWAY_BROKER_URL set no Valkey is started."""
    demo = start(SERVING, GATEWAY_BROKER_URL=valkey_url)
    demo.wait_for("curl -sS")

    assert "valkey-server" not in {process.name() for process in demo.find_processes()}


def test_a_process_that_dies_at_start_is_named(start: Callable[..., Demo]) -> None:
    """A failed start is one sentence and the last lines of what failed."""
    demo = start("import sys; print('almost'); sys.exit('no luck')")

    assert demo.wait_for_end() == 1
    assert demo.output.endswith(
        "the gateway ended at start with exit code 1; its last lines:\ngateway | almost\ngateway | no luck\n"
    )
    assert [] == demo.find_processes()


def test_a_process_that_dies_later_is_named(start: Callable[..., Demo]) -> None:
    """The demo does not go on with a part missing."""
    demo = start(ENDING)

    assert demo.wait_for_end() == 1
    assert "gateway | the stub gives up\n" in demo.output
    assert "the gateway ended with exit code 1; stopping the rest\n" in demo.output
    assert [] == demo.find_processes()


def test_the_issues_of_a_bad_file_stand_alone(start: Callable[..., Demo]) -> None:
    """When the gateway refuses tasks.yaml, its own words and its exit code are all there is."""
    demo = start("import sys; print('tasks.yaml:3:1: found a, wanted b'); sys.exit(2)")

    assert demo.wait_for_end() == 2
    assert demo.output.partition("…\n")[2] == "tasks.yaml:3:1: found a, wanted b\n"


def test_a_port_in_use_is_one_sentence(start: Callable[..., Demo]) -> None:
    """Before anything starts, the user learns that the port is taken and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        demo = start(SERVING, port=port)

        assert demo.wait_for_end() == 1

    sentence = f"cannot listen on 127.0.0.1, port {port}: address already in use"
    assert demo.output == f"gateway dev: {sentence}; choose another with --port, or make run PORT=…\n"
