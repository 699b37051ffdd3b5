"""`gateway serve` as a user meets it: exit codes, sentences, several processes, brokers that come and go."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
from redis import Redis

from gateway.demo.valkey import embedded_valkey, find_free_port
from gateway.settings import describe
from tests.harness import ROOT, clean_environment, run_gateway, wait_for

API = "/api/celery"
BODY = {"task_type": "sii.sync_documents", "params": {"company_id": "test"}}


def serve(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a `gateway serve` that is expected to end by itself."""
    argv = [sys.executable, "-m", "gateway", "serve", *options]
    return subprocess.run(
        argv, cwd=ROOT, env=clean_environment() | env, capture_output=True, text=True, timeout=20, check=False
    )


def test_every_setting_is_in_the_help() -> None:
    """With its default and what it is for."""
    text = " ".join(serve("--help").stdout.split())

    missing = [each for each in describe() if not all(" ".join(part.split()) in text for part in each if part)]
    assert [] == missing


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        pytest.param(
            None, ["{}:1:1: found no readable file: No such file or directory, wanted a tasks.yaml"], id="gone"
        ),
        pytest.param(
            "version: 1\ntasks:\n  a:\n    qeue: x\n    keep_s: no\n",
            [
                "{}:4:5: tasks.a.qeue: found an unknown key, wanted one of access, caller_options, concurrency, delivery, deprecated, description, examples, expires_s, … (did you mean `queue`?)",
                "{}:5:13: tasks.a.keep_s: found no, a word that YAML 1.1 reads as a boolean, wanted a JSON value, or a quoted string",
            ],
            id="two issues",
        ),
    ],
)
def test_a_broken_file_ends_with_every_issue_and_exit_code_2(
    tmp_path: Path, content: str | None, lines: list[str]
) -> None:
    """Path and place, no stack trace."""
    config = tmp_path / "tasks.yaml"
    if content is not None:
        config.write_text(content)

    ended = serve("--config", str(config))

    assert 2 == ended.returncode
    assert [line.format(config) for line in lines] == ended.stderr.splitlines()[:-1]
    assert f"gateway: {len(lines)} issue{'s' if len(lines) > 1 else ''}" == ended.stderr.splitlines()[-1]


def test_a_port_in_use_is_one_sentence_that_says_what_to_do() -> None:
    """And exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = serve("--port", str(port))

    assert 2 == ended.returncode
    assert ended.stderr.startswith(f"gateway: cannot listen on 127.0.0.1:{port} (")
    assert ended.stderr.endswith(": stop what uses that port, or choose another with --port\n")


def test_an_open_address_without_authentication_is_refused() -> None:
    """Nothing is exposed by accident."""
    ended = serve("--host", "0.0.0.0", "--port", "0")  # noqa: S104 - it must be refused

    assert (2, True) == (ended.returncode, "say --insecure" in ended.stderr)
    assert "set GATEWAY_API_KEYS_FILE to a file of keys (gateway keys new)" in ended.stderr


def test_bad_settings_are_one_sentence() -> None:
    """Exit code 2, naming the variable."""
    ended = serve(GATEWAY_PROT="1")

    assert (2, "gateway: GATEWAY_PROT is not a setting\n") == (ended.returncode, ended.stderr)


def test_a_broker_that_refuses_is_said_at_start_and_found_when_it_comes(logs: Path) -> None:
    """The gateway serves meanwhile: launches are 503 within the deadline, and nothing is left behind."""
    port = find_free_port("127.0.0.1")
    log = logs / "refused.log"
    with run_gateway(log, broker_url=f"redis://127.0.0.1:{port}/0") as url, httpx.Client(base_url=url) as http:
        wait_for("the sentence", lambda: "start it or set GATEWAY_BROKER_URL" in log.read_text())
        began = time.monotonic()
        refused = http.post(f"{API}/tasks/launch", json=BODY)
        waited_s = time.monotonic() - began
        ready = http.get("/health/ready")

        with embedded_valkey(port=port):
            accepted = http.post(f"{API}/tasks/launch", json=BODY)
            again = wait_for("readiness", lambda: found if (found := http.get("/health/ready")).is_success else None)

    assert (503, "1") == (refused.status_code, refused.headers["retry-after"])
    assert waited_s < 2
    assert (503, False) == (ready.status_code, ready.json()["parts"]["broker"]["is_ready"])
    assert (200, 200) == (accepted.status_code, again.status_code)


def test_redis_away_leaves_nothing_behind(logs: Path) -> None:
    """A launch refused while Redis was gone never runs; the gateway recovers on the same port by itself."""
    port = find_free_port("127.0.0.1")
    with run_gateway(logs / "away.log", broker_url=f"redis://127.0.0.1:{port}/0") as url:
        http = httpx.Client(base_url=url)
        codes = []
        for _ in range(2):
            with embedded_valkey(port=port):
                codes.append(http.post(f"{API}/tasks/launch", json=BODY).status_code)
            codes.append(http.post(f"{API}/tasks/launch", json=BODY).status_code)
        http.close()

    assert [200, 503, 200, 503] == codes


def test_several_processes_share_the_port(valkey_url: str, logs: Path) -> None:
    """Each answers, and all end with the first."""
    with run_gateway(logs / "many.log", broker_url=valkey_url, workers="3") as url:
        port = int(url.rpartition(":")[2])

        def find_servers() -> list[psutil.Process]:
            running = [
                process
                for process in psutil.Process().children(recursive=True)
                if process.status() != psutil.STATUS_ZOMBIE
            ]
            parent = next(process for process in running if str(port) in process.cmdline())
            return [child for child in parent.children() if "spawn_main" in " ".join(child.cmdline())]

        servers = wait_for("three servers", lambda: found if len(found := find_servers()) == 3 else None)
        answers = [httpx.get(f"{url}{API}/tasks").status_code for _ in range(20)]

    assert [200] * 20 == answers
    wait_for("their end", lambda: not any(server.is_running() for server in servers))


def test_a_folder_of_files_is_served_as_one(tmp_path: Path, valkey_url: str, logs: Path) -> None:
    """Names are unique across files; each has its own defaults."""
    (tmp_path / "a.yaml").write_text("version: 1\ndefaults: {queue: one}\ntasks: {a: {}}\n")
    (tmp_path / "b.yaml").write_text("version: 1\ntasks: {b: {}}\n")

    with run_gateway(logs / "folder.log", config=tmp_path, broker_url=valkey_url) as url:
        catalog = httpx.get(f"{url}{API}/tasks").json()

    assert [("a", "one"), ("b", "celery")] == [(entry["task_type"], entry["queue"]) for entry in catalog]


def test_an_unsafe_redis_is_told_and_in_strict_mode_refused(logs: Path) -> None:
    """A warning in the log and in readiness; exit code 78 where that is not allowed."""
    log = logs / "unsafe.log"
    with embedded_valkey() as broker_url:
        with Redis.from_url(broker_url) as client:
            client.config_set("appendonly", "no")
        refused = serve(GATEWAY_BROKER_URL=broker_url, GATEWAY_STRICT="true", GATEWAY_PORT="0")
        with run_gateway(log, broker_url=broker_url) as url:
            wait_for("both warnings", lambda: log.read_text().count("part_unsafe") == 2)
            parts = httpx.get(f"{url}/health/ready").json()["parts"]

    assert 78 == refused.returncode
    assert refused.stderr.startswith("gateway: GATEWAY_STRICT refuses this Redis: redis://127.0.0.1:")
    assert "appendonly is off" in refused.stderr
    assert [True, True] == [
        parts[name]["is_ready"] and "appendonly is off" in parts[name]["warnings"][0] for name in ("broker", "ledger")
    ]
