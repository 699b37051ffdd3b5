"""Which messages of a real Redis broker are gone, what is sent again, and what it costs among a hundred thousand."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.backends.redis.connection import connect
from gateway.backends.redis.deliveries import OLDEST, RedisDeliveries
from gateway.backends.redis.ledger import RedisLedger
from gateway.backends.redis.message import Lanes, build_message
from gateway.backends.redis.publisher import RedisPublisher
from gateway.backends.redis.trips import SharedTrips
from gateway.launch.launch import Launch
from gateway.launch.offer import Offer
from gateway.launch.task_id import ENTROPY_BYTES, mint
from gateway.ports import End, Remembered
from tests.backends.test_message import make_launch

LONG_AGO_MS = 1_700_000_000_000
LOST = End(status="FAILURE")
MANY = 100_000


def mint_at(ms: int) -> str:
    """Mint the id of a launch of a moment."""
    return mint(now_ms=LONG_AGO_MS + ms, entropy=os.urandom(ENTROPY_BYTES), identity=b"test")


class Place:
    """A Redis that is ledger and broker, and who looks after its messages."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self.publisher = RedisPublisher(client, prefix="gw:", lanes=Lanes(), origin="t", deadline_s=2)
        self.ledger = RedisLedger(SharedTrips(client, deadline_s=2), prefix="gw:", deadline_s=2)
        self.deliveries = self.make_deliveries()

    def make_deliveries(self, broker: Redis | None = None, *, lease_s: float = 10) -> RedisDeliveries:
        """Look after the messages, as another gateway would."""
        return RedisDeliveries(
            self.client, broker or self.client, prefix="gw:", lanes=Lanes(), origin="t",
            name_queues=lambda: ["compared"], deadline_s=2, lease_s=lease_s,
        )  # fmt: skip

    async def launch(self, count: int = 1, **changes: Any) -> list[Launch]:
        """Launch tasks, a millisecond apart."""
        made = [make_launch(task_id=mint_at(number), **changes) for number in range(count)]
        for each in made:
            await self.publisher.publish([Offer(launch=each)])
        return made

    async def take(self, *, hold: bool = False) -> str:
        """Take the next message, as a worker does; with `hold` it is in Kombu's account."""
        message = await self.client.rpop("compared")  # type: ignore[misc]
        assert isinstance(message, bytes)
        task_id = str(json.loads(message)["headers"]["id"])
        if hold:
            await self.client.hset("unacked", task_id, json.dumps([json.loads(message), "", "compared"]))  # type: ignore[misc]
        return task_id

    async def find_missing(self) -> list[str]:
        """Look at all open tasks."""
        found = await self.deliveries.find_missing("", count=1000)
        assert found is not None
        assert found.following == ""
        return [each.task_id for each in found.missing]

    async def recall(self, task_id: str) -> Remembered:
        """Ask for one task, which is there."""
        [remembered] = await self.ledger.find([task_id])
        assert remembered is not None
        return remembered

    async def list_waiting(self) -> list[str]:
        """List the tasks in the queue, the one first that is taken next."""
        messages: Any = await self.client.lrange("compared", 0, -1)  # type: ignore[misc]
        return [json.loads(each)["headers"]["id"] for each in reversed(messages)]


@pytest.fixture
async def place(lone_valkey_url: str) -> AsyncIterator[Place]:
    """An empty Redis."""
    client = connect(f"{lone_valkey_url[:-1]}9", deadline_s=5)
    await client.flushdb()
    yield Place(client)
    await client.flushdb()
    await client.aclose()


async def test_what_waits_is_in_hand_claimed_or_ended_is_not_missing(place: Place) -> None:
    """Nor what is parked, what its own task left on purpose, or what is in a lane of another priority."""
    gone, held, claimed, over, ended, parked, left, waiting = [each.task_id for each in await place.launch(8)]
    urgent = make_launch(task_id=mint_at(-1), priority=9, delivery="at_most_once")
    await place.publisher.publish([Offer(launch=urgent)])
    for hold in (False, True, False, False, False, False, False):
        await place.take(hold=hold)
    now_ms = int(1000 * time.time())
    await place.client.set(f"gw:claim:{claimed}", f"{now_ms + 60_000} token 0 w@h")
    await place.client.set(f"gw:claim:{over}", f"{now_ms - 1} token 2 w@h")
    await place.client.set(f"gw:claim:{left}", "0 = 0 w@h")
    await place.client.set(f"gw:end:{ended}", "{}")
    await place.client.zadd("gw:outbox", {parked: 1})

    found = await place.deliveries.find_missing("", count=1000)

    assert found is not None
    assert [(gone, 0, False), (over, 2, True)] == [
        (each.task_id, each.retries, each.is_holder_dead) for each in found.missing
    ]
    assert [waiting] == await place.list_waiting()
    assert held not in {each.task_id for each in found.missing}


async def test_a_long_queue_is_judged_by_its_oldest_messages(place: Place) -> None:
    """What is younger than these waits behind them, and is not looked for; one that was put back is seen among them."""
    ids = [each.task_id for each in await place.launch(2 * OLDEST)]
    gone, restored = await place.take(), await place.take()
    await place.client.rpush("compared", build_message(make_launch(task_id=restored), origin="t"))  # type: ignore[misc]

    assert [gone] == await place.find_missing()
    assert set(ids[1:]) == set(await place.list_waiting())


async def test_a_queue_that_the_catalog_has_no_more_is_looked_at_from_the_second_time_on(place: Place) -> None:
    """Its name stands in the rows."""
    [old] = await place.launch(1, queue="old")
    await place.client.delete("old")

    assert [[], [old.task_id]] == [await place.find_missing(), await place.find_missing()]


async def test_a_search_finds_a_message_anywhere(place: Place) -> None:
    """At the wrong end of a list, in another lane, in hand under a tag of somebody else's; not what is nowhere."""
    launches = await place.launch(4)
    ids = [each.task_id for each in launches]
    await place.client.delete("compared")
    message = {each.task_id: build_message(each, origin="t") for each in launches}
    others = [build_message(make_launch(task_id=mint_at(number)), origin="t") for number in range(2500)]
    await place.client.lpush("compared", message[ids[0]], *others)  # type: ignore[misc]
    await place.client.lpush("compared\x06\x163", message[ids[1]])  # type: ignore[misc]
    held = json.dumps([json.loads(message[ids[2]]), "", "compared"])
    await place.client.hset("unacked", "a tag of Kombu's", held)  # type: ignore[misc]

    found = await place.deliveries.search(dict.fromkeys(ids, "compared"))

    assert set(ids[:3]) == found


async def test_a_message_is_sent_again_before_all_others_and_noted(place: Place) -> None:
    """With Celery's count of retries, and the mark of one that was there before; params, limits and priority are the same."""
    lost, waiting = await place.launch(2, params={"n": 1}, priority=0, time_limit_s=9, soft_time_limit_s=8)
    await place.take()
    [missing] = await place.find_missing()

    is_done = await place.deliveries.redeliver(lost, retries=2)

    raw: Any = await place.client.lindex("compared", -1)  # type: ignore[misc]
    first = json.loads(build_message(lost, origin="t"))
    again = json.loads(raw)
    run = (await place.recall(lost.task_id)).run
    assert (True, lost.task_id) == (is_done, missing)
    assert [lost.task_id, waiting.task_id] == await place.list_waiting()
    assert first["body"] == again["body"]
    assert first["headers"] | {"retries": 2, "redelivered": True} == again["headers"]
    assert run is not None
    assert (1, None) == (run.redeliveries, run.started_at)
    assert run.redelivered_at is not None
    assert [] == await place.find_missing()


@pytest.mark.parametrize("seen", ["waits", "held", "claimed", "ended", "revoked", "forgotten"])
async def test_what_was_seen_meanwhile_is_left_alone(place: Place, seen: str) -> None:
    """The last look and the push are one step."""
    [launch] = await place.launch()
    task_id = launch.task_id
    await place.find_missing()
    if seen != "waits":
        await place.take(hold=seen == "held")
    if seen == "claimed":
        await place.client.set(f"gw:claim:{task_id}", f"{int(1000 * time.time()) + 60_000} token 0 w@h")
    if seen in {"ended", "revoked"}:
        await place.client.set(f"gw:{'end' if seen == 'ended' else 'revoke'}:{task_id}", "{}")
    if seen == "forgotten":
        await place.client.delete(f"gw:task:{task_id}")
    before = await place.list_waiting()

    is_done = [await place.deliveries.redeliver(launch, retries=0), await place.deliveries.conclude(launch, LOST)]

    assert [False, False] == is_done
    assert before == await place.list_waiting()


async def test_an_end_is_written_down_once(place: Place) -> None:
    """And the task is open no more."""
    [launch] = await place.launch()
    await place.take()
    await place.find_missing()

    is_done = [await place.deliveries.conclude(launch, LOST) for _ in range(2)]

    assert [True, False] == is_done
    assert LOST == (await place.recall(launch.task_id)).end
    assert [] == await place.find_missing()


async def test_an_end_frees_the_claim_whoever_writes_it_down(place: Place) -> None:
    """A gateway may read a result before the worker that wrote it says so, and the worker die in between."""
    read, lost = await place.launch(2)
    for each in (read, lost):
        await place.client.set(f"gw:claim:{each.task_id}", "1 token 0 w@h")
        await place.take()
    await place.find_missing()

    await place.ledger.settle(read.task_id, End(status="SUCCESS"))
    await place.deliveries.conclude(lost, LOST)

    assert [] == await place.client.keys("gw:claim:*")


@pytest.mark.parametrize("is_one", [True, False], ids=["one Redis", "a broker beside the ledger"])
async def test_one_that_slept_past_its_lease_sends_nothing(place: Place, lone_valkey_url: str, is_one: bool) -> None:  # noqa: FBT001
    """Another gateway has taken over: the token of the first is refused (row F17)."""
    broker = place.client if is_one else connect(f"{lone_valkey_url[:-1]}10", deadline_s=2)
    slow, other = place.make_deliveries(broker, lease_s=0.05), place.make_deliveries(broker)
    [launch] = await place.launch()
    await place.client.delete("compared")
    await slow.find_missing("", count=9)
    await asyncio.sleep(0.1)  # the sleep is what is tested
    taken_over = await other.find_missing("", count=9)

    is_done = await slow.redeliver(launch, retries=0)

    assert taken_over is not None
    assert [launch.task_id] == [each.task_id for each in taken_over.missing]
    assert (False, None) == (is_done, await slow.find_missing("", count=9))
    assert 0 == await broker.llen("compared")  # type: ignore[misc]
    assert await other.redeliver(launch, retries=0)
    assert 1 == await broker.llen("compared")  # type: ignore[misc]
    if not is_one:
        await broker.flushdb()
        await broker.aclose()


async def test_a_sweep_costs_little_among_a_hundred_thousand(place: Place) -> None:
    """All of them wait but one; no step takes Redis longer than twenty milliseconds."""
    ids = [mint_at(number) for number in range(MANY)]
    row = b'{"queue":"compared","task_id":"%b"}'
    async with place.client.pipeline(transaction=False) as pipeline:
        for at in range(0, MANY, 5000):
            some = ids[at : at + 5000]
            pipeline.mset({f"gw:task:{each}": row % each.encode() for each in some})
            pipeline.zadd("gw:open", dict.fromkeys(some, 0))
            pipeline.lpush("compared", *(build_message(make_launch(task_id=each), origin="t") for each in some))
            await pipeline.execute()
    lost = await place.take()
    await place.client.config_resetstat()

    missing, steps, after, began = [], 0, "", time.perf_counter()
    while not steps or after:
        found = await place.deliveries.find_missing(after, count=1000)
        assert found is not None
        missing += [each.task_id for each in found.missing]
        after, steps = found.following, steps + 1
    walked_s = time.perf_counter() - began
    nowhere = await place.deliveries.search({lost: "compared"})
    scripts = (await place.client.info("commandstats"))["cmdstat_eval"]

    assert ([lost], frozenset()) == (missing, nowhere)
    assert scripts["usec_per_call"] < 20_000
    assert walked_s < 10
