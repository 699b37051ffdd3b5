"""What carries params shows none of them: a `repr` ends in logs and tracebacks of others."""

import base64
from datetime import UTC, datetime

import pytest

from gateway.backends.redis.orders import Order
from gateway.catalog.deployment import Deployment
from gateway.client.http import Client, read_base
from gateway.launch.batch import read_batch_body
from gateway.launch.launch import Launch
from gateway.launch.prepare import Wish, prepare
from gateway.launch.request import read_launch_body, read_retry_body
from gateway.loading import compile_sources

CANARY = "canary-7f3a9c-hunter2"
PARAMS = {"token": CANARY}
BODY = {"task_type": "vault.open", "params": PARAMS}
TASKS = b"version: 1\ntasks: {vault.open: {parameters: {token: {type: string, secret: true}}}}"


def make_launch() -> Launch:
    """Prepare a launch as a request does."""
    wish = Wish(task_type="vault.open", params=PARAMS)
    return prepare(wish, compile_sources({"f": TASKS}, Deployment()), now=datetime.now(UTC))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(Wish(task_type="vault.open", params=PARAMS, body=CANARY.encode()), id="wish"),
        pytest.param(make_launch(), id="launch"),
        pytest.param(read_launch_body(BODY), id="body of a launch"),
        pytest.param(read_retry_body({"params": PARAMS}), id="body of a retry"),
        pytest.param(read_batch_body({"items": [BODY]}), id="body of a batch"),
        pytest.param(
            Order(
                "id", 1, "celery", None, ("vault.open", 1, None, None), "{}", base64.b64encode(CANARY.encode()).decode()
            ),
            id="order",
        ),
        pytest.param(
            Client(read_base("http://127.0.0.1", "api"), api_key=CANARY)._make(
                "POST", ("tasks",), body=CANARY.encode()
            ),
            id="request of the client",
        ),
    ],
)
def test_no_param_is_in_a_repr(value: object) -> None:
    """Nor its base64."""
    shown = f"{value!r} {value!s} {[value]}"

    assert [] == [each for each in (CANARY, base64.b64encode(CANARY.encode()).decode()[:24]) if each in shown]
