"""The client commands against a gateway that answers what a test lays down: what is asked, printed, and the exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import cli
from tests.client.contract import RECEIPT, STATUS, TASK_ID, Contract, Reply, event, problem, reply, stream

Run = Callable[..., Result]
ENTRY: dict[str, Any] = {
    "task_type": "shop.order",
    "parameters": {
        "properties": {
            "item": {"type": "string"},
            "count": {"type": "integer"},
            "token": {"type": "string", "writeOnly": True},
        },
        "required": ["item", "token"],
    },
}
EVENTS = f"GET /tasks/{TASK_ID}/events"
REVOKED = {"task_id": TASK_ID, "status": "PENDING", "message": "asked", "revocation": {"requested_at": "2026-11-24T11:59:00Z"}}  # fmt: skip


@pytest.fixture
def shop(contract: Contract) -> Contract:
    """A gateway with one task type, which can be launched."""
    contract.lay("GET /tasks/types/shop.order", reply(ENTRY))
    contract.lay("POST /tasks/launch", reply(RECEIPT))
    return contract


def test_a_launch_sends_typed_params_and_options(shop: Contract, gateway: Run, tmp_path: Path) -> None:
    """With a key of its own, so that it can be repeated."""
    (tmp_path / "token").write_text("hunter2\n")

    ended = gateway(
        *("launch", "shop.order", "item=7", "count=7", f"token=@{tmp_path / 'token'}"),
        *("--countdown", "1m", "--expires", "2h", "--priority", "3"),
    )

    sent = shop.asked[-1]
    assert {
        "task_type": "shop.order",
        "params": {"item": "7", "count": 7, "token": "hunter2"},
        "options": {"countdown_s": 60, "expires_s": 7200, "priority": 3},
    } == sent.body
    assert 36 == len(sent.headers["Idempotency-Key"])
    assert (0, "shop.order was launched", "") == (ended.exit_code, ended.stdout.splitlines()[0], ended.stderr)
    assert f"gateway status {TASK_ID} --wait" in ended.stdout


def test_an_eta_gets_the_offset_of_the_machine(shop: Contract, gateway: Run) -> None:
    """The gateway takes no moment without one."""
    gateway("launch", "shop.order", "--eta", "2026-01-31T12:00Z")

    assert {"eta": "2026-01-31T12:00:00+00:00"} == shop.asked[-1].body["options"]


def test_json_is_what_the_gateway_sent(shop: Contract, gateway: Run) -> None:
    """To the byte."""
    ended = gateway("launch", "shop.order", "--json", "--idempotency-key", "k")

    assert (0, json.dumps(RECEIPT) + "\n") == (ended.exit_code, ended.stdout)
    assert "k" == shop.asked[-1].headers["Idempotency-Key"]


def test_a_dry_run_launches_nothing(shop: Contract, gateway: Run) -> None:
    """It shows what would be sent."""
    shop.lay(
        "POST /tasks/launch", reply({"task_type": "shop.order", "params": {"item": "a"}, "message": "nothing was"})
    )

    ended = gateway("launch", "shop.order", "item=a", "--dry-run")

    assert {"dry_run": "true"} == shop.asked[-1].query
    assert 'nothing was; shop.order would get\n  item  "a"\n' == ended.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(["item"], "gateway: the 1. word after the name is not key=value\n", id="no word"),
        pytest.param(["count:=x"], "gateway: count: what follows := is not JSON; quote strings, as count:='\"text\"'\n", id="no JSON"),
        pytest.param(["item=@gone"], "gateway: item: gone: no such file or directory\n", id="no file"),
        pytest.param(["--countdown", "soon"], "gateway: 'soon' is no duration, as 90, 15m, 1h30m or 2d\n", id="no duration"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_exit_code_2(shop: Contract, gateway: Run, words: list[str], sentence: str) -> None:
    """And nothing is launched."""
    ended = gateway("launch", "shop.order", *words)

    assert (2, sentence) == (ended.exit_code, ended.stderr)
    assert "POST" not in {each.method for each in shop.asked}


def test_the_text_of_a_param_may_come_through_a_pipe(shop: Contract) -> None:
    """As that of a secret does from another command."""
    CliRunner().invoke(cli, ["launch", "shop.order", "item=@-"], env={"GATEWAY_URL": shop.url}, input="tea\n")

    assert {"item": "tea"} == shop.asked[-1].body["params"]


def test_a_file_beyond_all_bodies_is_refused(gateway: Run) -> None:
    """Before it fills the memory."""
    ended = gateway("launch", "shop.order", "item=@/dev/zero")

    assert (2, "gateway: item: /dev/zero is larger than any gateway takes\n") == (ended.exit_code, ended.stderr)


@pytest.mark.parametrize(
    "words",
    [["launch", "a", "--wait", "--dry-run"], ["revoke", "a", "--signal", "SIGKILL"], ["history", "--limit", "0"]],
)
def test_options_that_make_no_sense_are_exit_code_2(gateway: Run, words: list[str]) -> None:
    """With how the command is used."""
    ended = gateway(*words)

    assert (2, "Usage:") == (ended.exit_code, ended.stderr[:6])


@pytest.mark.parametrize(
    ("answer", "code", "line"),
    [
        (problem(422, "refused_params", "bad", errors=[{"pointer": "/params/count", "detail": "wanted"}]), 2, "  /params/count: wanted"),
        (problem(503, "broker_unavailable", "away"), 3, "gateway: away (503 broker_unavailable)"),
        (Reply(status=500), 3, "gateway: Internal Server Error (500 Internal Server Error)"),
    ],
)  # fmt: skip
def test_a_refusal_is_told_with_its_faults(shop: Contract, gateway: Run, answer: Reply, code: int, line: str) -> None:
    """The exit code tells whose fault it is."""
    shop.lay("POST /tasks/launch", answer)

    ended = gateway("launch", "shop.order")

    assert (code, "", line) == (ended.exit_code, ended.stdout, ended.stderr.splitlines()[-1])


def test_a_refusal_is_json_for_a_script(shop: Contract, gateway: Run) -> None:
    """On the standard error, as the answer is on the standard output."""
    refusal = problem(409, "task_finished", "too late")
    shop.lay("POST /tasks/launch", refusal)

    ended = gateway("launch", "shop.order", "--json")

    assert (2, "", refusal.body.decode() + "\n") == (ended.exit_code, ended.stdout, ended.stderr)


def test_a_launch_whose_answer_is_lost_says_how_to_repeat_it(shop: Contract, gateway: Run) -> None:
    """Under the key that was sent, so that there is one task at most."""
    shop.lay("POST /tasks/launch", Reply(end="silent"))

    ended = gateway("launch", "shop.order")

    key = shop.asked[-1].headers["Idempotency-Key"]
    assert 3 == ended.exit_code
    assert f"the same command with --idempotency-key {key} launches it once at most" in ended.stderr


def test_another_gateway_that_is_away_before_the_launch_needs_no_key(shop: Contract, gateway: Run) -> None:
    """Nothing was sent to it."""
    shop.lay("GET /tasks/types/shop.order", Reply(end="silent"))

    assert "--idempotency-key" not in gateway("launch", "shop.order").stderr


def test_no_gateway_is_exit_code_3(gateway: Run) -> None:
    """With where it was looked for."""
    ended = gateway("tasks", "--url", "http://127.0.0.1:1")

    assert 3 == ended.exit_code
    assert ended.stderr.startswith("gateway: no answer from http://127.0.0.1:1/api/celery: connection refused;")


def test_what_is_no_url_is_exit_code_2(gateway: Run) -> None:
    """It is not the gateway that is away."""
    assert 2 == gateway("tasks", "--url", "localhost").exit_code


@pytest.mark.parametrize(
    ("status", "code"), [("SUCCESS", 0), ("FAILURE", 1), ("REVOKED", 1), ("UNKNOWN", 1), ("WEIRD", 1)]
)
def test_waiting_ends_with_the_task(shop: Contract, gateway: Run, status: str, code: int) -> None:
    """The exit code says how."""
    shop.lay(EVENTS, stream(event(1, status, kind="final")))

    ended = gateway("launch", "shop.order", "--wait")

    assert (code, f"{status}  shop.order") == (ended.exit_code, ended.stdout.splitlines()[0])


def test_waiting_writes_a_line_for_each_change(shop: Contract, gateway: Run) -> None:
    """Over connections that break; the final status is the answer."""
    shop.lay(
        EVENTS,
        stream(
            event(1, "PENDING"),
            event(2, "PROGRESS", progress={"percent": 50}),
            event(3, "PROGRESS", progress={"percent": 50}),
            end="broken",
        ),
        problem(503, "gateway_busy", "busy"),
        stream(event(4, "SUCCESS", kind="final", result=7)),
    )

    ended = gateway("launch", "shop.order", "--wait")

    assert ["SUCCESS  shop.order", "Result", "  7"] == [ended.stdout.splitlines()[index] for index in (0, -2, -1)]
    lines = ended.stderr.splitlines()
    assert ["shop.order was launched", f"  task       {TASK_ID}"] == lines[:2]
    assert ["PENDING", "PROGRESS  50 %", "busy; trying again", "SUCCESS"] == lines[2:]


def test_waiting_for_a_script_prints_the_final_status_alone(shop: Contract, gateway: Run) -> None:
    """As it was sent."""
    last = event(2, "SUCCESS", kind="final", result=7)
    shop.lay(EVENTS, stream(event(1, "PENDING"), last))

    ended = gateway("status", TASK_ID, "--wait", "--json")

    assert (0, "") == (ended.exit_code, ended.stderr)
    assert last.split("data: ")[1].strip() == ended.stdout.strip()


@pytest.mark.parametrize(
    ("status", "code"), [("PENDING", 0), ("PROGRESS", 0), ("WEIRD", 0), ("SUCCESS", 0), ("FAILURE", 1), ("UNKNOWN", 1)]
)
def test_a_status_tells_how_the_task_ended(contract: Contract, gateway: Run, status: str, code: int) -> None:
    """One that has not ended is no failure."""
    contract.lay(f"GET /tasks/{TASK_ID}", reply({**STATUS, "status": status}))

    ended = gateway("status", TASK_ID)

    assert (code, f"{status}  shop.order") == (ended.exit_code, ended.stdout.splitlines()[0])


def test_the_api_key_is_sent_when_it_is_set(contract: Contract, gateway: Run) -> None:
    """And nothing else than that."""
    contract.lay("GET /tasks", reply([]))

    gateway("tasks", GATEWAY_API_KEY="k-1")
    gateway("tasks", GATEWAY_API_KEY="")

    assert ["Bearer k-1", None] == [each.headers.get("Authorization") for each in contract.asked]


def test_the_prefix_is_that_of_the_settings(contract: Contract, gateway: Run) -> None:
    """Or of the command line, which wins."""
    gateway("tasks", GATEWAY_PREFIX="/a")
    gateway("tasks", "--prefix", "/b", GATEWAY_PREFIX="/a")

    assert ["/a/tasks", "/b/tasks"] == [each.path for each in contract.asked]


def test_the_catalog_is_one_line_for_each_task_type(contract: Contract, gateway: Run) -> None:
    """Of a table, or of JSON."""
    contract.lay("GET /tasks", reply([ENTRY, {"task_type": "b"}]))

    people, script = gateway("tasks", "--tag", "x"), gateway("tasks", "--json")

    assert ["TASK", "shop", "b   "] == [line[:4] for line in people.stdout.splitlines()]
    assert "item [count] token" in people.stdout
    assert [ENTRY, {"task_type": "b"}] == [json.loads(line) for line in script.stdout.splitlines()]
    assert [{"tag": "x"}, {}] == [each.query for each in contract.asked]


@pytest.mark.usefixtures("shop")
def test_one_task_type_is_described(gateway: Run) -> None:
    """With its parameters."""
    assert "  token  string, required, secret." in gateway("tasks", "shop.order").stdout.splitlines()
    assert ENTRY == json.loads(gateway("tasks", "shop.order", "--json").stdout)


def test_an_answer_that_is_none_is_exit_code_3(contract: Contract, gateway: Run) -> None:
    """Something else is at that address."""
    contract.lay("GET /tasks", reply({"hello": "world"}))

    ended = gateway("tasks")

    assert 3 == ended.exit_code
    assert ended.stderr.startswith("gateway: the answer is none of a gateway's: ")


def make_page(numbers: range, cursor: str | None) -> Reply:
    """Make a page of the history."""
    return reply({"items": [{**STATUS, "task_id": f"T{each}"} for each in numbers], "next_cursor": cursor})


def test_the_history_follows_cursors_up_to_the_limit(contract: Contract, gateway: Run) -> None:
    """Over pages that are short or empty."""
    contract.lay(
        "GET /tasks/history", make_page(range(200), "a"), make_page(range(0), "b"), make_page(range(200, 300), "c")
    )

    ended = gateway("history", "--limit", "250", "--json")

    assert [f"T{each}" for each in range(250)] == [json.loads(line)["task_id"] for line in ended.stdout.splitlines()]
    assert [{"limit": "200"}, {"limit": "50", "cursor": "a"}, {"limit": "50", "cursor": "b"}] == [
        each.query for each in contract.asked
    ]


def test_a_search_that_finds_nothing_ends(contract: Contract, gateway: Run) -> None:
    """Although there may be more behind it, which is told."""
    contract.lay("GET /tasks/history", make_page(range(0), "on"))

    ended = gateway("history")

    assert (0, "no task\n", "There are more: --cursor on\n") == (ended.exit_code, ended.stdout, ended.stderr)
    assert 101 == len(contract.asked)


def test_the_history_passes_its_filters_on(contract: Contract, gateway: Run) -> None:
    """Moments with their offset; where there is more, how to go on is told."""
    contract.lay("GET /tasks/history", make_page(range(2), "next"))

    ended = gateway(
        *("history", "--task-type", "a", "--status", "FAILURE", "--since", "2h", "--until", "2026-11-24T10:00Z"),
        *("--retry-of", "T", "--batch", "B", "--limit", "2", "--cursor", "this"),
    )

    query = contract.asked[0].query
    assert query.pop("since").endswith("+00:00")
    assert {
        "task_type": "a", "status": "FAILURE", "until": "2026-11-24T10:00:00+00:00", "retry_of": "T", "batch": "B",
        "limit": "2", "cursor": "this",
    } == query  # fmt: skip
    assert ["STATUS", "PENDING", "PENDING"] == [line.split()[0] for line in ended.stdout.splitlines()]
    assert "There are more: --cursor next\n" == ended.stderr


def test_an_empty_history_is_nothing_for_a_script(contract: Contract, gateway: Run) -> None:
    """And a sentence for people."""
    contract.lay("GET /tasks/history", make_page(range(0), None))

    assert ("", "no task\n") == (gateway("history", "--json").stdout, gateway("history").stdout)


def test_a_revoke_says_what_is_confirmed(contract: Contract, gateway: Run) -> None:
    """And passes on how the task is to be stopped."""
    contract.lay(f"DELETE /tasks/{TASK_ID}", reply(REVOKED))

    ended = gateway("revoke", TASK_ID, "--terminate", "--signal", "SIGKILL")
    gateway("revoke", TASK_ID)

    assert [{"terminate": "true", "signal": "SIGKILL"}, {}] == [each.query for each in contract.asked]
    assert (0, "asked") == (ended.exit_code, ended.stdout.splitlines()[0])
    assert "not confirmed" in ended.stdout


def test_a_retry_types_its_params_by_the_task_type(shop: Contract, gateway: Run) -> None:
    """Found through the task that is retried."""
    shop.lay(f"GET /tasks/{TASK_ID}", reply(STATUS))
    shop.lay(f"POST /tasks/{TASK_ID}/retry", reply({**RECEIPT, "task_id": "T2", "retry_of": TASK_ID, "attempt": 2}))

    ended = gateway("retry", TASK_ID, "count=2", "item=2", "--force")

    assert {"params": {"count": 2, "item": "2"}, "force": True} == shop.asked[-1].body
    assert f"  attempt    2, a retry of {TASK_ID}" in ended.stdout.splitlines()


def test_a_retry_of_a_task_type_that_is_gone_is_for_the_gateway_to_refuse(contract: Contract, gateway: Run) -> None:
    """It knows why."""
    contract.lay(f"GET /tasks/{TASK_ID}", reply(STATUS))
    contract.lay(f"POST /tasks/{TASK_ID}/retry", problem(422, "unknown_task_type", "it is gone"))

    ended = gateway("retry", TASK_ID)

    assert (2, "gateway: it is gone (422 unknown_task_type)\n") == (ended.exit_code, ended.stderr)
    assert {"params": {}} == contract.asked[-1].body


def test_a_retry_does_not_guess_types_while_the_catalog_is_away(contract: Contract, gateway: Run) -> None:
    """It would send text for numbers."""
    contract.lay(f"GET /tasks/{TASK_ID}", reply(STATUS))
    contract.lay("GET /tasks/types/shop.order", problem(503, "gateway_busy", "busy"))

    assert 3 == gateway("retry", TASK_ID, "count=2").exit_code


@pytest.mark.parametrize("command", ["launch", "status", "tasks", "history", "revoke", "retry"])
def test_every_command_documents_its_exit_codes(gateway: Run, command: str) -> None:
    """In its help."""
    text = gateway(command, "--help").stdout

    assert all(f"    {code} " in text for code in ("0", "1", "2", "3", "130"))
    assert "GATEWAY_URL" in text
