"""The one Redis is silent, slow, gone, frozen or full: every request is answered in time, and service returns by itself.

Rows F20 to F22: nothing blocks the loop, which is asked for its pulse all the while.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pytest
import redis
from msgspec import Struct

from gateway.demo.valkey import embedded_valkey
from tests.faults.outage import (
    API,
    BODY,
    LAUNCH,
    RETURN_S,
    go_through,
    gone,
    launch_one,
    mix,
    silent,
    slow,
    sluggish,
    time_return,
)
from tests.faults.proxy import FaultProxy, proxied
from tests.faults.schedule import IS_LONG
from tests.flood import flood, post, request
from tests.harness import ROOT, find_listener, run_gateway, suspended, wait_for

ANSWER_S = 2.5
UNCERTAIN = {
    "uncertain_publish",
    "broker_unavailable",
    "ledger_unavailable",
    "results_unavailable",
    "backend_unavailable",
}


class Ward(Struct, frozen=True):
    """One Redis behind a proxy, and a gateway on it."""

    url: str
    broker_url: str
    wire: FaultProxy


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """For all tests of this file: each leaves it in health."""
    log, config = tmp_path_factory.mktemp("outages") / "g.log", ROOT / "tests/faults/tasks.yaml"
    with ExitStack() as stack:
        broker_url = stack.enter_context(embedded_valkey())
        url, wire = stack.enter_context(proxied(broker_url))
        gateway = stack.enter_context(run_gateway(log, config=config, broker_url=url, workers_refresh_s="0.5"))
        yield Ward(gateway, broker_url, wire)


def frozen(ward: Ward) -> AbstractContextManager[None]:
    """The process sleeps; the kernel still takes connections and bytes."""
    return suspended(find_listener(ward.broker_url))


@contextmanager
def full(ward: Ward) -> Iterator[None]:
    """Out of memory."""
    with redis.Redis.from_url(ward.broker_url) as client:
        client.config_set("maxmemory", "1")
        yield
        client.config_set("maxmemory", "0")


@pytest.mark.parametrize(
    ("ail", "codes"),
    [
        pytest.param(silent, UNCERTAIN, id="silent"),
        *([pytest.param(slow, UNCERTAIN, id="slow")] if IS_LONG else []),
        pytest.param(gone, UNCERTAIN, id="gone"),
        pytest.param(frozen, UNCERTAIN, id="frozen"),
        pytest.param(full, {"broker_full", "ledger_full"}, id="full"),
    ],
)
def test_every_request_is_answered_in_time_and_service_returns(
    ward: Ward, ail: Callable[[Ward], AbstractContextManager[None]], codes: set[str]
) -> None:
    """503 within the deadline, not ready, and served again within two seconds of the return, without a restart."""
    task_id = launch_one(ward.url)
    outage = go_through(ward, ail, task_id)
    healed_at = time.time()
    wait_for("a look at the workers", lambda: _looked_since(ward.url, healed_at))

    outage.check(answer_s=ANSWER_S, codes=codes)


def _looked_since(url: str, moment: float) -> bool:
    """Tell whether the thread that watches the workers is alive and has looked."""
    answer = asyncio.run(flood(url, [request("GET", f"{API}/stats")]))[0].body
    return bool(answer["age_s"] is not None and time.time() - answer["age_s"] > moment)


def test_a_sluggish_redis_makes_nobody_wait_twice(ward: Ward) -> None:
    """What takes several round trips has one deadline for all of them."""
    task_id = launch_one(ward.url)
    with sluggish(ward):
        answers = asyncio.run(flood(ward.url, mix(task_id, 50)))

    assert max(answer.waited_s for answer in answers) < ANSWER_S
    assert {task_id} == {
        answer.body["task_id"] for answer in answers if answer.status == 200 and "run_s" in answer.body
    }


def test_a_crowd_before_a_frozen_broker_is_shed_and_served_after_the_thaw(ward: Ward) -> None:
    """Thousands at once: some wait for the deadline, the rest are refused, and the next one is accepted at once."""
    crowd = [post(LAUNCH, BODY) for _ in range(3000)]
    with frozen(ward):
        answers = asyncio.run(flood(ward.url, crowd))
    return_s = time_return(ward.url)
    codes = [answer.body["code"] for answer in answers if answer.body]

    assert {503} == {answer.status for answer in answers}
    assert set(codes) <= UNCERTAIN | {"gateway_busy"}
    assert return_s < RETURN_S
