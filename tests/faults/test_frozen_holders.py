"""A sweeper that sleeps with a parked launch in its hands (row F17): when it wakes up, another one has sent it."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis

from gateway.demo.valkey import embedded_valkey
from tests.faults.proxy import proxied
from tests.harness import ROOT, find_listener, run_gateway, suspended, wait_for

DEADLINE_S = 0.5
BODY = {"task_type": "faults.note", "params": {"number": 1}}
LAUNCH = "/api/celery/tasks/launch"


class Pair:
    """A ledger, a broker behind a proxy, and a gateway; another one can be started."""

    def __init__(self, stack: ExitStack, ledger_url: str, folder: Path) -> None:
        self._stack, self._folder = stack, folder
        broker_url = stack.enter_context(embedded_valkey())
        self._broker = stack.enter_context(redis.Redis.from_url(broker_url))
        self.ledger = stack.enter_context(redis.Redis.from_url(ledger_url))
        self.ledger.flushdb()
        self._proxied_url, self.wire = stack.enter_context(proxied(broker_url))
        self._ledger_url = ledger_url
        self.first = self.start("first")
        self.process: psutil.Process = find_listener(self.first)

    def start(self, name: str) -> str:
        """Start a gateway."""
        settings = {"broker_url": self._proxied_url, "redis_url": self._ledger_url, "deadline_s": str(DEADLINE_S)}
        config = ROOT / "tests/faults/tasks.yaml"
        return self._stack.enter_context(run_gateway(self._folder / f"{name}.log", config=config, **settings))

    def count_messages(self) -> Counter[str]:
        """Count the messages of each task."""
        return Counter(json.loads(raw)["headers"]["id"] for raw in self._broker.lrange("faults", 0, -1))

    def find_in_hand(self) -> Any:
        """Return the parked launches that somebody has taken in hand."""
        return self.ledger.zrangebyscore("gateway:outbox", time.time() * 1000, "+inf")

    def is_outbox_empty(self) -> bool:
        """Tell whether nothing waits."""
        return not self.ledger.zcard("gateway:outbox")


@pytest.fixture
def pair(valkey_url: str, tmp_path: Path) -> Iterator[Pair]:
    """The first gateway alone."""
    with ExitStack() as stack:
        yield Pair(stack, f"{valkey_url[:-1]}14", tmp_path)


def test_a_frozen_sweeper_sends_nothing_that_another_has_sent(pair: Pair) -> None:
    """Its token is refused; all that was parked is in the queue once."""
    pair.wire.is_refusing = True
    pair.wire.cut()
    with httpx.Client(base_url=pair.first, timeout=5) as http:
        accepted = {http.post(LAUNCH, json=BODY).json()["task_id"] for _ in range(20)}
    pair.wire.latency_s = 0.04  # long enough to be caught between taking and sending
    pair.wire.is_refusing = False
    wait_for("a launch in the sweeper's hand", pair.find_in_hand)
    with suspended(pair.process):
        pair.wire.latency_s = 0
        pair.start("second")
        wait_for("the second sweeper", pair.is_outbox_empty)
    fence = pair.ledger.get("gateway:sweeper")
    sent = pair.count_messages()
    with httpx.Client(base_url=pair.first, timeout=5) as http:
        after = http.post(LAUNCH, json=BODY).json()["task_id"]
    renewed = pair.ledger.pttl("gateway:sweeper")
    wait_for("another sweep", lambda: pair.ledger.pttl("gateway:sweeper") > renewed)

    assert dict.fromkeys(accepted, 1) == sent
    assert dict.fromkeys(accepted | {after}, 1) == pair.count_messages()
    assert b"2" == fence == pair.ledger.get("gateway:sweeper")
