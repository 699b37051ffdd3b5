"""Waiting on a terminal: a bar, questions, and what Ctrl-C does."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client.contract import RECEIPT, TASK_ID, Contract, Reply, event, problem, reply, stream
from tests.demo.terminal import Demo
from tests.harness import wait_for

EVENTS = f"GET /tasks/{TASK_ID}/events"
Start = Callable[..., Demo]
RUNNING = event(
    2, "PROGRESS", progress={"current": 3, "total": 12, "percent": 25.0, "message": "month 3 \x1b[31mof " + "x" * 99}
)
QUESTION = "Stop it? Ctrl-C leaves at once. [y/N]: "


@pytest.fixture
def start(contract: Contract, tmp_path: Path) -> Iterator[Start]:
    """Run commands on a terminal of 80 columns."""
    terminals: list[Demo] = []

    def run(*words: str, **env: str) -> Demo:
        command = [sys.executable, "-m", "gateway", *words]
        terminals.append(Demo(tmp_path, command, GATEWAY_URL=contract.url, COLUMNS="80", TERM="xterm", **env))
        return terminals[-1]

    yield run
    for each in terminals:
        each.popen.kill()
        each.popen.wait(5)
        each.close()


def press(terminal: Demo, keys: str) -> None:
    """Type on the terminal's keyboard."""
    os.write(terminal.master, keys.encode())


def test_a_bar_shows_how_far_the_task_is(contract: Contract, start: Start) -> None:
    """It fits the terminal, shows nothing that a terminal would obey, and ends with the whole status."""
    contract.lay(EVENTS, stream(event(1, "PENDING"), RUNNING, event(3, "SUCCESS", kind="final", result=7)))

    terminal = start("status", TASK_ID, "--wait", LANG="C.UTF-8")

    assert 0 == terminal.wait_for_end()
    drawn, _, rest = terminal.output.partition("\n")
    lines = [re.sub(r"\x1b\[\?25.", "", line).rstrip() for line in drawn.split("\r")]
    assert "PENDING  [--------------------]     0 s" in lines
    assert "PROGRESS [#####---------------]   25%     0 s  3 of 12, month 3 \ufffd[31mof xxxxxx…" in lines
    assert "SUCCESS  [####################]  100%     0 s" in lines
    assert max(map(len, lines)) < 80
    assert "\x1b[32mSUCCESS\x1b[0m  \x1b[1mshop.order\x1b[0m" in rest


def test_a_connection_in_trouble_is_shown_in_the_bar(contract: Contract, start: Start) -> None:
    """Until it is mended."""
    contract.lay(EVENTS, stream(RUNNING), problem(503, "x", "busy"), stream(event(3, "FAILURE", kind="final")))

    terminal = start("status", TASK_ID, "--wait")

    assert 1 == terminal.wait_for_end()
    assert "trying again: busy" in terminal.output


def test_no_colour_where_none_is_wanted(contract: Contract, start: Start) -> None:
    """NO_COLOR is honoured."""
    contract.lay("GET /tasks", reply([{"task_type": "a", "availability": "available"}]))

    plain, coloured = start("tasks", NO_COLOR="1"), start("tasks")

    assert (0, 0) == (plain.wait_for_end(), coloured.wait_for_end())
    assert ("\x1b" in plain.output, "\x1b[32mavailable\x1b[0m" in coloured.output) == (False, True)


def test_ctrl_c_offers_to_stop_a_running_task(contract: Contract, start: Start) -> None:
    """Yes asks for it, and says what came of it."""
    contract.lay(EVENTS, stream(RUNNING, end="held"))
    contract.lay(f"DELETE /tasks/{TASK_ID}", reply({"task_id": TASK_ID, "status": "PROGRESS", "message": "asked"}))

    terminal = start("status", TASK_ID, "--wait")
    terminal.wait_for("25%")
    press(terminal, "\x03")
    terminal.wait_for(QUESTION)
    press(terminal, "y\n")

    assert 130 == terminal.wait_for_end()
    assert "asked" in terminal.output
    assert ("DELETE", {"terminate": "true"}) == (contract.asked[-1].method, contract.asked[-1].query)


def test_ctrl_c_offers_to_revoke_a_waiting_task(contract: Contract, start: Start) -> None:
    """Where it is too late, that is said."""
    contract.lay(EVENTS, stream(event(1, "PENDING"), end="held"))
    contract.lay(f"DELETE /tasks/{TASK_ID}", problem(409, "task_finished", "the task has already ended"))

    terminal = start("status", TASK_ID, "--wait")
    terminal.wait_for("PENDING")
    press(terminal, "\x03")
    terminal.wait_for("Revoke the task?")
    press(terminal, "y\n")

    assert 130 == terminal.wait_for_end()
    assert "gateway: the task has already ended (409 task_finished)" in terminal.output
    assert {} == contract.asked[-1].query


@pytest.mark.parametrize(
    "keys", [pytest.param("\x03", id="Ctrl-C again"), pytest.param("\n", id="no"), pytest.param("\x04", id="the end")]
)
def test_a_second_ctrl_c_leaves_at_once(contract: Contract, start: Start, keys: str) -> None:
    """As any other answer than yes does: the task goes on."""
    contract.lay(EVENTS, stream(RUNNING, end="held"))

    terminal = start("status", TASK_ID, "--wait")
    terminal.wait_for("25%")
    press(terminal, "\x03")
    terminal.wait_for(QUESTION)
    press(terminal, keys)

    assert 130 == terminal.wait_for_end()
    assert f"The task goes on: gateway status {TASK_ID} --wait" in terminal.output
    assert {"GET"} == {each.method for each in contract.asked}


def test_a_missing_secret_is_asked_for_without_showing_it(contract: Contract, start: Start) -> None:
    """It reaches the gateway and no screen."""
    schema = {"properties": {"token": {"type": "string", "writeOnly": True}}, "required": ["token"]}
    contract.lay("GET /tasks/types/a", reply({"task_type": "a", "parameters": schema}))
    contract.lay("POST /tasks/launch", reply(RECEIPT))

    terminal = start("launch", "a")
    terminal.wait_for("token: ")
    press(terminal, "hunter2\n")

    assert 0 == terminal.wait_for_end()
    assert {"token": "hunter2"} == contract.asked[-1].body["params"]
    assert "hunter2" not in terminal.output


def test_ctrl_c_at_a_question_launches_nothing(contract: Contract, start: Start) -> None:
    """Exit code 130."""
    schema = {"properties": {"token": {"type": "string", "writeOnly": True}}, "required": ["token"]}
    contract.lay("GET /tasks/types/a", reply({"task_type": "a", "parameters": schema}))

    terminal = start("launch", "a")
    terminal.wait_for("token: ")
    press(terminal, "\x03")

    assert 130 == terminal.wait_for_end()
    assert {"GET"} == {each.method for each in contract.asked}


def test_ctrl_c_before_the_receipt_says_that_there_may_be_a_task(contract: Contract, start: Start) -> None:
    """And how to launch it once at most."""
    contract.lay("GET /tasks/types/a", reply({"task_type": "a"}))
    contract.lay("POST /tasks/launch", Reply(body=b"{", end="held"))

    terminal = start("launch", "a")
    wait_for("the launch", lambda: contract.asked[1:])
    press(terminal, "\x03")

    assert 130 == terminal.wait_for_end()
    assert f"with --idempotency-key {contract.asked[1].headers['Idempotency-Key']} launches" in terminal.output
