"""`gateway drift` against a gateway that answers what a test lays down."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from tests.client.contract import Contract, problem, reply

Run = Callable[..., Result]
UNDECLARED = {"kind": "undeclared", "detail": "b is registered, and no task type launches it", "name": "b"}
GONE = {
    "kind": "no_worker",
    "detail": "no live worker registers a",
    "name": "a",
    "queue": "q",
    "task_types": ["x", "y"],
}


def drift(status: str, *differences: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    """Make an answer."""
    return {
        "status": status,
        "reason": reason,
        "differences": list(differences),
        "workers": 2,
        "digest": "d",
        "as_of": None,
    }


@pytest.mark.parametrize(
    ("answer", "options", "code", "said"),
    [
        pytest.param(drift("none"), (), 0, ["no drift: 2 online workers as declared"], id="none"),
        pytest.param(
            drift("drift", GONE, UNDECLARED), (), 3,
            ["WHAT        WHY                                            TASK TYPES",
             "no_worker   no live worker registers a                     x, y",
             "undeclared  b is registered, and no task type launches it"],
            id="drift",
        ),
        pytest.param(drift("unknown", reason="the broker cannot be asked"), ("--wait", "0"), 3, ["unknown: the broker cannot be asked"], id="unknown"),
        pytest.param(drift("drift", UNDECLARED), ("--allow-undeclared",), 0, ["no drift: 2 online workers as declared"], id="allowed"),
        pytest.param(drift("drift", UNDECLARED, GONE), ("--allow-undeclared",), 3, None, id="not all allowed"),
    ],
)  # fmt: skip
def test_the_exit_code_says_whether_something_is_wrong(
    contract: Contract,
    gateway: Run,
    answer: dict[str, Any],
    options: tuple[str, ...],
    code: int,
    said: list[str] | None,
) -> None:
    """Ignorance is no success."""
    contract.lay("GET /drift", reply(answer))

    ended = gateway("drift", *options)

    assert code == ended.exit_code
    assert said in (None, ended.stdout.splitlines())


def test_a_gateway_that_has_just_begun_is_asked_again(contract: Contract, gateway: Run) -> None:
    """Workers tell within seconds what they run."""
    unknown = drift("unknown", reason="a@b has not said yet what it runs")
    contract.lay("GET /drift", reply(unknown), reply(unknown), reply(drift("none")))

    ended = gateway("drift")

    assert (0, 3) == (ended.exit_code, len(contract.asked))


@pytest.mark.parametrize("option", [("--format", "json"), ("--json",)], ids=" ".join)
def test_a_script_gets_what_the_gateway_sent(contract: Contract, gateway: Run, option: tuple[str, ...]) -> None:
    """With the same exit code."""
    contract.lay("GET /drift", reply(drift("drift", GONE)))

    ended = gateway("drift", *option)

    assert (3, [GONE]) == (ended.exit_code, json.loads(ended.stdout)["differences"])


def test_a_gateway_that_refuses_is_no_drift(contract: Contract, gateway: Run) -> None:
    """As for every other command."""
    contract.lay("GET /drift", problem(401, "unauthorized", "who are you?"))

    ended = gateway("drift")

    assert (2, "gateway: who are you? (401 unauthorized)") == (ended.exit_code, ended.stderr.splitlines()[0])
