"""The client commands against a real gateway, with a real worker and a real Valkey."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from gateway.demo.valkey import find_free_port
from tests.demo.terminal import Demo
from tests.harness import ROOT, clean_environment, finish, run_gateway, run_process, wait_for

pytestmark = pytest.mark.usefixtures("worker")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def gateway(gateway_url: str) -> Run:
    """Run `gateway` as a script does."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gateway", *words],
            cwd=ROOT,
            env=clean_environment() | {"GATEWAY_URL": gateway_url},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )

    return run


def test_a_task_is_found_launched_looked_at_and_launched_again(gateway: Run, client: httpx.Client) -> None:
    """Each command does on a real gateway what it says."""
    described = gateway("tasks", "sii.sync_documents")
    example = re.findall(r"^  gateway (launch .*)$", described.stdout, re.MULTILINE)[0]
    receipt = json.loads(gateway(*example.split(), "--json").stdout)
    finish(client, receipt["task_id"])
    status = gateway("status", receipt["task_id"])
    retried = gateway("retry", receipt["task_id"], "months=2", "--json")
    second = json.loads(retried.stdout)
    finish(client, second["task_id"])
    last = json.loads(gateway("status", second["task_id"], "--json").stdout)

    assert (0, "SUCCESS  sii.sync_documents") == (status.returncode, status.stdout.splitlines()[0])
    assert (receipt["task_id"], 2) == (second["retry_of"], second["attempt"])
    assert {"company_id": "76123456-7", "months": 2, "documents": 74} == last["result"]


def test_the_catalog_is_what_the_gateway_serves(gateway: Run, client: httpx.Client) -> None:
    """One line for each task type, in its order."""
    shown = [json.loads(line)["task_type"] for line in gateway("tasks", "--json").stdout.splitlines()]

    assert [each["task_type"] for each in client.get("/api/celery/tasks").json()] == shown


def test_a_failed_task_is_exit_code_1(gateway: Run, client: httpx.Client) -> None:
    """With its error."""
    receipt = json.loads(gateway("launch", "sii.sync_documents", "company_id=fail", "--json").stdout)
    finish(client, receipt["task_id"])

    ended = gateway("status", receipt["task_id"])

    assert (1, "FAILURE") == (ended.returncode, ended.stdout.split()[0])
    assert "SiiError: the tax office refused the session of company 'fail'" in ended.stdout


def test_a_delayed_task_is_revoked(gateway: Run, client: httpx.Client) -> None:
    """Once; after its end it is refused. It is delayed for longer than a client takes to start on a busy machine."""
    receipt = json.loads(gateway("launch", "sii.sync_documents", "company_id=a", "--countdown", "3s", "--json").stdout)
    revoked = gateway("revoke", receipt["task_id"])
    finish(client, receipt["task_id"])
    again = gateway("revoke", receipt["task_id"])

    assert (0, "REVOKED") == (
        revoked.returncode,
        json.loads(gateway("status", receipt["task_id"], "--json").stdout)["status"],
    )
    assert (2, "gateway: the task has already ended with REVOKED (409 task_finished)\n") == (
        again.returncode,
        again.stderr,
    )


def test_every_fault_of_a_launch_is_told_at_once(gateway: Run) -> None:
    """The near miss, the wrong type, the missing parameter, the option that is out of range."""
    ended = gateway("launch", "sii.sync_documents", "compnay_id=a", "months=x", "--priority", "999", "--dry-run")

    assert (2, "") == (ended.returncode, ended.stdout)
    assert {
        "  /params/compnay_id: no such parameter; did you mean company_id?",
        "  /params/months: wanted an integer, got a string (expected integer)",
        "  /params/company_id: company_id is missing",
        "  /options/priority: wanted an integer from 0 to 255",
    } == set(ended.stderr.splitlines()[1:])


def test_waiting_follows_the_event_stream_to_the_end(gateway: Run) -> None:
    """With a line for each change; the exit code is that of the task."""
    good = gateway("launch", "sii.sync_f29", "company_id=a", "year=2025", "--wait")
    bad = gateway("launch", "sii.sync_documents", "company_id=fail", "--wait", "--json")

    assert (0, "SUCCESS  sii.sync_f29") == (good.returncode, good.stdout.splitlines()[0])
    assert '    "forms": 12' in good.stdout.splitlines()
    assert "SUCCESS" == good.stderr.splitlines()[-1]
    assert (1, "FAILURE") == (bad.returncode, json.loads(bad.stdout)["status"])


def test_waiting_goes_on_at_another_gateway(gateway: Run, valkey_url: str, logs: Path, tmp_path: Path) -> None:
    """The one that was followed stops; the next one at its address knows what has been seen."""
    port = find_free_port("127.0.0.1")
    log = tmp_path / "wait.log"
    with ExitStack() as stack:
        with run_gateway(logs / "first.log", port=port, broker_url=valkey_url) as url:
            launched = gateway(
                "launch", "sii.sync_documents", "company_id=a", "--countdown", "2s", "--json", "--url", url
            )
            task_id = json.loads(launched.stdout)["task_id"]
            waiting = stack.enter_context(
                run_process("gateway", "status", task_id, "--wait", "--url", url, env={}, log=log)
            )
            wait_for("the first status", lambda: "PENDING" in log.read_text() or "RECEIVED" in log.read_text())
        stack.enter_context(run_gateway(logs / "second.log", port=port, broker_url=valkey_url))
        code = waiting.wait(20)

    told = log.read_text().splitlines()
    assert (0, 1) == (code, told.count("SUCCESS"))
    assert "SUCCESS  sii.sync_documents" in told


def test_ctrl_c_revokes_the_task_that_is_waited_for(gateway_url: str, client: httpx.Client, tmp_path: Path) -> None:
    """Typed on a real terminal, answered with yes."""
    words = ("launch", "sii.sync_documents", "company_id=a", "--countdown", "2s", "--wait")
    terminal = Demo(tmp_path, [sys.executable, "-m", "gateway", *words], GATEWAY_URL=gateway_url)
    try:
        terminal.wait_for("[---")
        task_id = re.findall(r"task +(\S+)", terminal.output)[0]
        wait_for("the first status", lambda: re.search("PENDING|RECEIVED", terminal.output))
        os.write(terminal.master, b"\x03")
        terminal.wait_for("Ctrl-C leaves at once. [y/N]: ")
        os.write(terminal.master, b"y\n")
        code = terminal.wait_for_end()
    finally:
        terminal.popen.kill()
        terminal.popen.wait(5)
        terminal.close()

    assert 130 == code
    assert "REVOKED" == finish(client, task_id)["status"]


def test_the_history_lists_what_was_launched(gateway: Run) -> None:
    """Newest first, by its filters, over pages."""
    words = ("launch", "sii.sync_f29_all", "year=2024", "--json")
    launched = [json.loads(gateway(*words).stdout)["task_id"] for _ in range(3)]

    first = gateway("history", "--task-type", "sii.sync_f29_all", "--since", "1h", "--limit", "2", "--json")
    hint = gateway("history", "--task-type", "sii.sync_f29_all", "--limit", "2").stderr
    rest = gateway("history", "--task-type", "sii.sync_f29_all", "--limit", "1", "--cursor", hint.split()[-1])
    none = gateway("history", "--since", "2100-01-01")

    assert launched[:0:-1] == [json.loads(line)["task_id"] for line in first.stdout.splitlines()]
    assert "STATUS" == rest.stdout.split()[0]
    assert launched[0] in rest.stdout
    assert (0, "no task\n") == (none.returncode, none.stdout)
