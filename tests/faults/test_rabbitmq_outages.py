"""RabbitMQ is silent, slow, gone or out of memory: launches are kept and answered in time, and service returns by itself."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
import redis
from kombu import Connection
from msgspec import Struct

from tests.faults.outage import BODY, LAUNCH, go_through, gone, launch_one, silent, slow
from tests.faults.proxy import FaultProxy, proxied
from tests.faults.schedule import IS_LONG
from tests.harness import ROOT, find_listener, run_gateway, suspended, wait_for
from tests.rabbitmq import allow_memory

ANSWER_S = 2.0
"""For a deadline of one second."""
CODES = {"broker_unavailable", "backend_unavailable", "broker_busy"}
CONFIG = ROOT / "tests/faults/tasks.yaml"
QUEUE = "faults"

pytestmark = pytest.mark.timeout(120)


class Ward(Struct, frozen=True):
    """A node behind a proxy, a ledger elsewhere, and a gateway on both."""

    url: str
    node_url: str
    wire_url: str
    ledger_url: str
    wire: FaultProxy

    def read_messages(self) -> Counter[str]:
        """Take all messages out of the queue; count those of each task."""
        with Connection(self.node_url) as connection, connection.channel() as channel:
            taken: Counter[str] = Counter()
            while (message := channel.basic_get(QUEUE, no_ack=True)) is not None:
                taken[message.headers["id"]] += 1
            return taken

    def is_outbox_empty(self) -> bool:
        """Tell whether nothing waits."""
        with redis.Redis.from_url(self.ledger_url) as client:
            return not client.zcard("gateway:outbox")


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory, valkey_url: str, rabbitmq_url: str) -> Iterator[Ward]:
    """For all tests of this file: each leaves it in health."""
    folder, ledger_url = tmp_path_factory.mktemp("rabbitmq"), f"{valkey_url[:-1]}8"
    with ExitStack() as stack:
        stack.enter_context(redis.Redis.from_url(ledger_url)).flushdb()
        wire_url, wire = stack.enter_context(proxied(rabbitmq_url))
        settings = {"broker_url": wire_url, "redis_url": ledger_url, "workers_refresh_s": "0.5", "deadline_s": "1"}
        gateway = stack.enter_context(run_gateway(folder / "g.log", config=CONFIG, **settings))
        yield Ward(gateway, rabbitmq_url, wire_url, ledger_url, wire)


@contextmanager
def full(ward: Ward) -> Iterator[None]:
    """Out of memory: connections are accepted, and no message is confirmed."""
    allow_memory(ward.node_url, 0.00001)
    yield
    allow_memory(ward.node_url, 0.4)


@pytest.mark.parametrize("ail", [silent, gone, full, *([slow] if IS_LONG else [])])
def test_launches_are_kept_and_service_returns(ward: Ward, ail: Callable[[Ward], AbstractContextManager[None]]) -> None:
    """Each is answered in time and is in the queue in the end; the first one after the return goes straight there."""
    task_id = launch_one(ward.url)
    outage = go_through(ward, ail, task_id, ready_s=15)
    wait_for("an empty outbox", ward.is_outbox_empty, limit_s=30)
    answers = outage.answers
    accepted = {answer.body["task_id"] for answer in answers if answer.status == 200 and "status_url" in answer.body}
    accepted |= {item["receipt"]["task_id"] for item in answers[0].body["items"] if "receipt" in item}
    accepted = {each for each in accepted if each != task_id} | {task_id}

    outage.check(answer_s=ANSWER_S, codes=CODES)
    assert accepted <= ward.read_messages().keys()


def test_connections_that_the_broker_closed_meanwhile_cost_nothing(ward: Ward) -> None:
    """A restart that nobody noticed: the next launches go straight into the queue, once each."""
    with ThreadPoolExecutor(8) as threads:
        before = list(threads.map(lambda _: launch_one(ward.url), range(32)))
        ward.wire.cut()
        after = list(threads.map(lambda _: httpx.post(f"{ward.url}{LAUNCH}", json=BODY, timeout=10).json(), range(32)))

    assert not [receipt for receipt in after if "away" in receipt["message"]]
    assert dict.fromkeys([*before, *(receipt["task_id"] for receipt in after)], 1) == ward.read_messages()


def test_a_frozen_publisher_sends_nothing_that_a_sweeper_has_sent(ward: Ward, tmp_path: Path) -> None:
    """It was on its way to the broker with a launch of its own, and is as late as any other (row F17)."""
    settings = {"redis_url": ward.ledger_url, "deadline_s": "0.5", "key_prefix": "frozen:"}
    with (
        redis.Redis.from_url(ward.ledger_url) as ledger,
        run_gateway(tmp_path / "first.log", config=CONFIG, broker_url=ward.wire_url, **settings) as first,
        run_gateway(tmp_path / "second.log", config=CONFIG, broker_url=ward.node_url, **settings) as second,
        ThreadPoolExecutor(1) as thread,
    ):
        process = find_listener(first)
        launch_one(second)
        ward.wire.latency_s = 0.03  # long enough to be caught while it connects again
        ward.wire.cut()
        launching = thread.submit(httpx.post, f"{first}{LAUNCH}", json=BODY, timeout=20)
        wait_for("a launch in the publisher's hand", lambda: ledger.zcard("frozen:outbox"))
        with suspended(process):
            ward.wire.latency_s = 0
            wait_for("the second gateway's sweep", lambda: not ledger.zcard("frozen:outbox"))
        answer = launching.result()
        launch_one(first)

    assert 200 == answer.status_code
    assert 1 == ward.read_messages()[answer.json()["task_id"]]


def test_a_password_that_is_refused_has_a_code_of_its_own(ward: Ward, tmp_path: Path) -> None:
    """And the launch leaves nothing behind (row F24)."""
    wrong = ward.node_url.replace("guest:guest", "guest:hunter2")
    settings = {"redis_url": ward.ledger_url, "key_prefix": "refused:"}
    with run_gateway(tmp_path / "g.log", config=CONFIG, broker_url=wrong, **settings) as url:
        answer = httpx.post(f"{url}{LAUNCH}", json=BODY, timeout=10)
    with redis.Redis.from_url(ward.ledger_url) as ledger:
        left = list(ledger.scan_iter("refused:task:*"))

    assert (503, "broker_login") == (answer.status_code, answer.json()["code"])
    assert [] == left
    assert "hunter2" not in answer.text
