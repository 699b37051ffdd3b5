"""The outbox between a real ledger and a broker that the tests play: one deadline, and nothing sent by two hands."""

import time
from collections.abc import AsyncIterator, Callable

import pytest
from redis.asyncio import Redis

from gateway.backends.outbox import publisher as outbox_publisher
from gateway.backends.outbox.publisher import OutboxPublisher
from gateway.backends.outbox.store import OutboxStore
from gateway.backends.redis.connection import connect
from gateway.config.rates import Rate
from gateway.errors import BrokerUnavailableError
from gateway.launch.launch import Launch
from gateway.launch.offer import Limited, Offer, Published
from gateway.launch.quota import Quota
from gateway.launch.trace import Trace
from gateway.metrics.cells import Cells
from gateway.metrics.meter import Meter
from tests.backends.test_message import make_launch
from tests.backends.test_publisher import IDS
from tests.faults.proxy import FaultProxy, proxied

DEADLINE_S = 0.6


class Broker:
    """Takes messages, unless it is told otherwise."""

    name = "broker"
    warnings = ()

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.before: Callable[[], object] = lambda: None
        """Called at each send; what it raises is the broker's answer."""

    async def send(self, launch: Launch, *, within_s: float, not_after: float) -> None:  # noqa: ARG002 - it takes no time
        """Take a message."""
        self.before()
        self.sent.append(launch.task_id)

    async def check(self) -> None:
        """Answer."""

    def refuse(self) -> None:
        """Be away."""
        raise BrokerUnavailableError("away")


@pytest.fixture
async def wired(valkey_url: str) -> AsyncIterator[tuple[Redis, FaultProxy]]:
    """An empty ledger behind a proxy."""
    with proxied(f"{valkey_url[:-1]}15") as (url, wire):
        client = connect(url, deadline_s=DEADLINE_S)
        await client.flushdb()
        yield client, wire
        await client.aclose()


def make_publisher(client: Redis, broker: Broker) -> OutboxPublisher:
    """Join the two."""
    store = OutboxStore(client, prefix="gw:", deadline_s=DEADLINE_S)
    return OutboxPublisher(store, broker, limit=100, tally=Meter(Cells()), find_depth=lambda _: None)


async def test_a_launch_that_was_left_to_the_sweeper_is_not_sent_too(
    wired: tuple[Redis, FaultProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the broker is back before its row is written: by then the sweeper may have it in hand."""
    client, wire = wired
    monkeypatch.setattr(outbox_publisher, "AWAY_S", 0.1)
    broker = Broker()
    publisher = make_publisher(client, broker)
    broker.before = broker.refuse
    await publisher.publish([Offer(launch=make_launch(task_id=IDS[0]))])
    broker.before = lambda: None
    wire.latency_s = 0.1

    outcomes = await publisher.publish([Offer(launch=make_launch(task_id=IDS[1]))])

    assert [Published(is_parked=True)] == outcomes
    assert [] == broker.sent
    assert 2 == await client.zcard("gw:outbox")


async def test_a_launch_that_waited_for_its_broker_belongs_to_its_trace(wired: tuple[Redis, FaultProxy]) -> None:
    """It is kept with it."""
    broker = Broker()
    broker.before = broker.refuse
    trace = Trace(parent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", state="vendor=1")

    await make_publisher(wired[0], broker).publish([Offer(launch=make_launch(task_id=IDS[0], trace=trace))])
    taken = await OutboxStore(wired[0], prefix="gw:", deadline_s=DEADLINE_S).take(count=1)

    assert [(IDS[0], trace)] == [(each.task_id, each.trace) for each in taken]


async def test_nobody_waits_for_the_outbox_to_be_cleared(wired: tuple[Redis, FaultProxy]) -> None:
    """A confirmed launch is answered in time, though the ledger falls silent just then."""
    client, wire = wired
    broker = Broker()
    broker.before = lambda: setattr(wire, "is_silent", True)
    began = time.monotonic()

    outcomes = await make_publisher(client, broker).publish([Offer(launch=make_launch(task_id=IDS[0]))])

    assert [Published()] == outcomes
    assert [IDS[0]] == broker.sent
    assert time.monotonic() - began < DEADLINE_S + 0.2


async def test_a_launch_that_the_broker_refuses_gives_back_what_it_used(wired: tuple[Redis, FaultProxy]) -> None:
    """One with secrets, that cannot wait, leaves nothing behind: the next one finds the room that it found."""
    client, _ = wired
    broker = Broker()
    publisher = make_publisher(client, broker)
    quota = Quota(policy="task-type", key="c:60:a.b", rate=Rate(1, 60))
    broker.before = broker.refuse
    secret = make_launch(task_id=IDS[0], params={"s": 1}, secret_names=frozenset({"s"}), quotas=(quota,))
    refused = await publisher.publish([Offer(launch=secret)])
    broker.before = lambda: None

    outcomes = [
        (await publisher.publish([Offer(launch=make_launch(task_id=each, quotas=(quota,)))]))[0] for each in IDS
    ]

    assert [BrokerUnavailableError] == [type(each) for each in refused]
    assert [Published, Limited] == [type(each) for each in outcomes[:2]]
