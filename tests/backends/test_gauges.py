"""What is counted in the background: queues of a real Redis, and the ledger's totals."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.backends.depths import Depth
from gateway.backends.observing.gauges import Gauges
from gateway.backends.observing.heartbeats import Heartbeats
from gateway.backends.observing.roster import Roster
from gateway.backends.outbox.store import OutboxStore
from gateway.backends.redis.connection import connect
from gateway.backends.redis.depths import RedisDepths
from gateway.backends.redis.ledger import RedisLedger
from gateway.backends.redis.message import Lanes
from gateway.backends.redis.open_tasks import RedisOpenTasks
from gateway.backends.redis.publisher import RedisPublisher
from gateway.backends.redis.totals import RedisTotals
from gateway.backends.redis.trips import SharedTrips
from gateway.errors import LedgerUnavailableError
from gateway.launch.offer import Offer
from gateway.ports import End
from tests.backends.test_message import make_launch
from tests.backends.test_observing import wait_until
from tests.backends.test_withdrawal import FIRST_MS, mint_at

LANES = Lanes(key_prefix="pre:")


@pytest.fixture
async def client(valkey_url: str) -> AsyncIterator[Redis]:
    """An empty database."""
    client = connect(f"{valkey_url[:-1]}7", deadline_s=2)
    await client.flushdb()
    yield client
    await client.aclose()


async def publish(client: Redis, *task_ids: str, task_type: str = "a.b", **fields: Any) -> None:
    """Launch tasks."""
    publisher = RedisPublisher(client, prefix="gw:", lanes=LANES, origin="t", deadline_s=2)
    launches = [make_launch(task_id=each, task_type=task_type, **fields) for each in task_ids]
    await publisher.publish([Offer(launch=each) for each in launches])


async def test_the_oldest_message_tells_since_when_its_queue_waits(client: Redis) -> None:
    """Over all priorities; those of others are counted, and tell nothing."""
    depths = RedisDepths(client, lanes=LANES, deadline_s=2)
    launch = make_launch()
    await publish(client, mint_at(2000), mint_at(5000))
    await publish(client, mint_at(1000), priority=9)
    await client.lpush("pre:foreign", json.dumps({"headers": {"id": "7c3a8e64-0000-4000-8000-000000000000"}}), "x")
    await client.set("pre:odd", "x")

    found = await depths.measure([launch.queue, "foreign", "odd", "empty"])

    assert Depth(waiting=3, oldest_at=datetime.fromtimestamp((FIRST_MS + 1000) / 1000, UTC)) == found[launch.queue]
    assert [Depth(waiting=2), Depth(waiting=0), Depth(waiting=0)] == [
        found[each] for each in ("foreign", "odd", "empty")
    ]


async def test_many_queues_are_counted_too(client: Redis) -> None:
    """A hundred at a time."""
    await client.lpush("pre:q149", "x")

    found = await RedisDepths(client, lanes=LANES, deadline_s=2).measure([f"q{number}" for number in range(150)])

    assert (150, 1) == (len(found), found["q149"].waiting)


async def test_totals_count_every_launch_and_every_end_once(client: Redis) -> None:
    """Whoever sees the end, and however often; a launch that was taken back does not count."""
    trips = SharedTrips(client, deadline_s=2)
    ledger, totals = RedisLedger(trips, prefix="gw:", deadline_s=2), RedisTotals(trips, prefix="gw:")
    ids, other = [mint_at(number) for number in range(4)], mint_at(9)
    empty = await totals.read_totals()
    await publish(client, *ids)
    await publish(client, other, task_type="c", delivery="at_most_once")
    for task_id in (ids[0], ids[0], other):
        await ledger.settle(task_id, End(status="SUCCESS"))
    open_tasks = RedisOpenTasks(client, prefix="gw:", deadline_s=2)
    await open_tasks.take("", count=9)
    await open_tasks.settle({ids[0]: End(status="FAILURE"), ids[1]: End(status="FAILURE")}, started={})
    await OutboxStore(client, prefix="gw:", deadline_s=2).forget(Offer(launch=make_launch(task_id=ids[3])))

    assert {} == empty
    assert {
        "a.b": {"launched": 3, "SUCCESS": 1, "FAILURE": 1},
        "c": {"launched": 1, "SUCCESS": 1},
    } == await totals.read_totals()


class Counter:
    """Counts nothing; the ledger can be away."""

    is_away = False
    failures = 0

    async def measure(self, queues: list[str]) -> dict[str, Depth]:
        """Return a depth for each queue."""
        return {queue: Depth(waiting=len(queue)) for queue in queues}

    async def read_totals(self) -> dict[str, dict[str, int]]:
        """Return totals, or fail."""
        if self.is_away:
            self.failures += 1
            raise LedgerUnavailableError("the ledger cannot be reached")
        return {"a": {"launched": 1}}


async def test_what_cannot_be_counted_stays_as_it_was() -> None:
    """The log says so once, and the rest is counted on."""
    counter, roster = Counter(), Roster(Heartbeats(), answer_period_s=5)
    queues = ["q"]
    gauges = Gauges(roster, counter, counter, name_queues=lambda: queues, refresh_s=0.001)  # type: ignore[arg-type] # as narrow
    with capture_logs() as logs:
        task = asyncio.create_task(gauges.run())
        await wait_until("the totals", lambda: asyncio.sleep(0, roster.totals))
        counter.is_away = True
        queues.append("longer")
        await wait_until("another round", lambda: asyncio.sleep(0, "longer" in roster.queues and counter.failures > 2))
        task.cancel()

    assert {"q": 1, "longer": 6} == roster.queues
    assert {"a": {"launched": 1}} == roster.totals
    assert [("uncounted", "totals")] == [(each["event"], each["what"]) for each in logs]
