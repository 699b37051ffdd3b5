"""API keys with a real gateway and a real worker: who is let in, and who launched what."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.guarded import Guarded, add_key, run_guarded
from tests.harness import ROOT, clean_environment, finish, wait_for

API = "/api/celery"
BODY = {"task_type": "sii.sync_documents", "params": {"company_id": "keys"}}


def connect(guarded: Guarded, key: str) -> httpx.Client:
    """Return a client that sends a key."""
    return httpx.Client(base_url=guarded.url, headers={"Authorization": f"Bearer {key}"}, timeout=10)


def run_client(*argv: str, url: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the client."""
    command = [sys.executable, "-m", "gateway", *argv, "--url", url]
    return subprocess.run(
        command, cwd=ROOT, env=clean_environment() | env, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.usefixtures("worker")
def test_a_key_launches_and_another_reads_what_it_may(guarded: Guarded) -> None:
    """The worker does its part; a viewer follows without the result, and cannot launch."""
    with connect(guarded, guarded.keys["operators"]) as operator, connect(guarded, guarded.keys["viewers"]) as viewer:
        receipt = operator.post(f"{API}/tasks/launch", json=BODY).json()
        status = finish(operator, receipt["task_id"])
        seen = viewer.get(f"{API}/tasks/{receipt['task_id']}").json()
        refused = viewer.post(f"{API}/tasks/launch", json=BODY)

    assert ("SUCCESS", "key:operators", True) == (status["status"], status["launched_by"], bool(status["result"]))
    assert ("SUCCESS", None, "withheld") == (seen["status"], seen["result"], seen["result_omitted"])
    assert (403, "forbidden") == (refused.status_code, refused.json()["code"])


def test_keys_come_and_go_with_their_lines(guarded: Guarded) -> None:
    """Within seconds, and no request of the others is disturbed."""
    key = add_key(guarded.file, "passers")

    def ask() -> int:
        return httpx.get(f"{guarded.url}{API}/tasks", headers={"X-API-Key": key}).status_code

    wait_for("the new key", lambda: ask() == 200)
    lines = guarded.file.read_text().splitlines()
    guarded.file.write_text("\n".join(each for each in lines if "name=passers" not in each) + "\n")
    wait_for("the end of the key", lambda: ask() == 401)

    with connect(guarded, guarded.keys["admin"]) as admin:
        state: Any = admin.get(f"{API}/config").json()["authentication"]
    assert (["keys"], False, 4, []) == (state["kinds"], state["is_insecure"], state["keys"], state["issues"])
    assert ["strangers"] == state["unknown_roles"]


def read_to_end(lines: Iterator[str]) -> list[str]:
    """Read a stream until the gateway ends it; comments and empty lines say nothing."""
    return [line for line in lines if line and not line.startswith((":", "retry:"))]


@pytest.mark.usefixtures("worker")
def test_a_stream_ends_with_its_key(guarded: Guarded) -> None:
    """It tells nothing of what comes after."""
    before = guarded.file.read_text()
    headers = {"X-API-Key": add_key(guarded.file, "viewers")}
    wait_for("the key", lambda: httpx.get(f"{guarded.url}{API}/tasks", headers=headers).status_code == 200)

    with httpx.stream("GET", f"{guarded.url}{API}/tasks/events", headers=headers, timeout=20) as answer:
        lines = answer.iter_lines()
        next(line for line in lines if line == ": heartbeat")
        guarded.file.write_text(before)
        wait_for("its end", lambda: httpx.get(f"{guarded.url}{API}/tasks", headers=headers).status_code == 401)
        with connect(guarded, guarded.keys["operators"]) as operator:
            operator.post(f"{API}/tasks/launch", json=BODY)
        told = read_to_end(lines)

    assert ["event: bye", "data: {}"] == told


def test_a_stream_ends_when_rights_change(lone_valkey_url: str, tmp_path: Path) -> None:
    """Whoever follows comes again, and sees what it may see by then."""
    config = tmp_path / "tasks.yaml"
    config.write_text((ROOT / "tasks.yaml").read_text())
    with (
        run_guarded(tmp_path, config=config, broker_url=f"{lone_valkey_url[:-1]}6") as own,
        connect(own, own.keys["admin"]) as admin,
        connect(own, own.keys["viewers"]) as viewer,
        viewer.stream("GET", f"{API}/tasks/events") as answer,
    ):
        lines = answer.iter_lines()
        next(line for line in lines if line == ": heartbeat")
        config.write_text(config.read_text().replace("    read: [operators, viewers]", "    read: [operators]"))
        reloaded = admin.post(f"{API}/config/reload")
        told = read_to_end(lines)

    assert 200 == reloaded.status_code
    assert ["event: bye", "data: {}"] == told


def test_the_client_sends_a_key(guarded: Guarded, tmp_path: Path) -> None:
    """From the environment or from a file; without one it says what is wanted."""
    file = tmp_path / "key"
    file.write_text(guarded.keys["viewers"] + "\n")

    ended = [
        run_client("tasks", "sii.sync_f29", url=guarded.url, GATEWAY_API_KEY=guarded.keys["viewers"]),
        run_client("tasks", "sii.sync_f29", "--api-key-file", str(file), url=guarded.url),
        run_client("tasks", url=guarded.url),
        run_client("tasks", "--api-key-file", str(tmp_path / "none"), url=guarded.url),
    ]

    assert [0, 0, 2, 2] == [each.returncode for each in ended]
    assert "send a valid API key or token" in ended[2].stderr
    assert f"the key file {tmp_path}/none cannot be read as one" in ended[3].stderr


def test_no_log_holds_a_key(guarded: Guarded) -> None:
    """Neither a whole one nor its secret."""
    log = (guarded.file.parent / "gateway.log").read_text()

    assert "keys_read" in log
    assert [] == [role for role, key in guarded.keys.items() if key[12:40] in log]
