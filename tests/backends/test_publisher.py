"""The Redis publisher: one transaction, all or nothing, certain or said to be uncertain."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest
from redis.asyncio import Redis

from gateway.backends.redis.commit import MAX_SHARING
from gateway.backends.redis.connection import connect
from gateway.backends.redis.message import Lanes
from gateway.backends.redis.publisher import RedisPublisher
from gateway.demo.valkey import embedded_valkey, find_free_port
from gateway.errors import BrokerUnavailableError, UncertainPublishError
from gateway.launch.launch import Launch
from gateway.launch.offer import Offer, Outcome, Published
from tests.backends.test_message import make_launch
from tests.harness import find_listener, suspended

DEADLINE_S = 0.5
IDS = [f"01890000-0000-7000-8000-{number:012x}" for number in range(2000)]


@pytest.fixture
async def client(lone_valkey_url: str) -> AsyncIterator[Redis]:
    """An empty database."""
    client = connect(f"{lone_valkey_url[:-1]}6", deadline_s=DEADLINE_S)
    await client.flushdb()
    yield client
    await client.aclose()


def make_publisher(client: Redis) -> RedisPublisher:
    """A publisher with the ledger beside the queue."""
    return RedisPublisher(client, prefix="gw:", lanes=Lanes(), origin="t", deadline_s=DEADLINE_S)


async def publish(publisher: RedisPublisher, launch: Launch) -> Outcome:
    """Publish one launch."""
    [outcome] = await publisher.publish([Offer(launch=launch)])
    return outcome


async def test_many_launches_share_few_round_trips(client: Redis) -> None:
    """Each is in the ledger and in its queue, in the order of its arrival."""
    publisher = make_publisher(client)
    await client.config_resetstat()

    await asyncio.gather(*(publish(publisher, make_launch(task_id=task_id, keep_s=60)) for task_id in IDS))
    stats = await client.info("commandstats")
    round_trips = sum(stats.get(f"cmdstat_{command}", {}).get("calls", 0) for command in ("eval", "evalsha"))
    queued = [json.loads(raw)["headers"]["id"] for raw in await client.lrange("compared", 0, -1)]

    assert IDS == queued[::-1]
    assert len(IDS) == len([key async for key in client.scan_iter("gw:task:*", count=1000)])
    assert len(IDS) / MAX_SHARING <= round_trips <= len(IDS) / MAX_SHARING + 2


async def test_what_redis_forgets_between_two_launches_is_no_failure(client: Redis) -> None:
    """Neither the script nor the connection: nothing was sent over the one, nothing run of the other."""
    publisher = make_publisher(client)
    await publish(publisher, make_launch(task_id=IDS[0]))
    await client.script_flush()
    without_script = await publish(publisher, make_launch(task_id=IDS[1]))
    await client.client_kill_filter(_type="normal", skipme=True)
    await client.ping()  # by its answer the end of the other connection has come in as well
    without_connection = await publish(publisher, make_launch(task_id=IDS[2]))

    queued = [json.loads(raw)["headers"]["id"] for raw in await client.lrange("compared", 0, -1)]
    assert [Published(), Published()] == [without_script, without_connection]
    assert IDS[:3] == queued[::-1]


async def test_a_refused_connection_leaves_nothing_and_says_so() -> None:
    """Certainly not published, and answered at once."""
    dead = connect(f"redis://127.0.0.1:{find_free_port('127.0.0.1')}/0", deadline_s=DEADLINE_S)

    outcome = await publish(make_publisher(dead), make_launch())
    await dead.aclose()

    assert isinstance(outcome, BrokerUnavailableError)
    assert "the broker cannot be reached" == str(outcome)


async def test_a_queue_key_of_another_type_takes_the_row_back(client: Redis) -> None:
    """Both or neither, also when one command of the transaction fails."""
    await client.set("compared", "not a list")
    publisher = make_publisher(client)

    outcomes = await asyncio.gather(
        publish(publisher, make_launch(task_id=IDS[0])),
        publish(publisher, make_launch(task_id=IDS[1], queue="sound")),
    )

    assert [BrokerUnavailableError, Published] == [type(outcome) for outcome in outcomes]
    assert [f"gw:task:{IDS[1]}".encode()] == [key async for key in client.scan_iter("gw:task:*")]
    assert [IDS[1].encode()] == await client.zrange("gw:open", 0, -1)
    assert 1 == await client.xlen("gw:history")


async def test_a_full_redis_refuses_the_whole_transaction(client: Redis) -> None:
    """OOM is certain: nothing was recorded, nothing published."""
    await client.config_set("maxmemory", "1")
    try:
        outcome = await publish(make_publisher(client), make_launch())
    finally:
        await client.config_set("maxmemory", "0")

    assert isinstance(outcome, BrokerUnavailableError)
    assert ("broker_full", "the broker is out of memory") == (outcome.code, str(outcome))
    assert 0 == await client.dbsize()


async def test_a_frozen_redis_is_uncertain_within_the_deadline() -> None:
    """The launch that was sent says that it may run; those behind it, that they certainly do not."""
    with embedded_valkey() as url:
        client = connect(url, deadline_s=DEADLINE_S)
        publisher = make_publisher(client)
        await publish(publisher, make_launch(task_id=IDS[0]))
        with suspended(find_listener(url)):
            began = time.monotonic()
            sent = asyncio.create_task(publish(publisher, make_launch(task_id=IDS[1])))
            commit = publisher._commit
            while commit._sending is None or commit._sending.done() or commit._waiting:  # noqa: ASYNC110 - until it is on its way
                await asyncio.sleep(0)
            behind = asyncio.create_task(publish(publisher, make_launch(task_id=IDS[2])))
            outcomes = await asyncio.gather(sent, behind)
            waited_s = time.monotonic() - began
        await publish(publisher, make_launch(task_id=IDS[3]))
        queued = [json.loads(raw)["headers"]["id"] for raw in await client.lrange("compared", 0, -1)]
        await client.aclose()

    assert [UncertainPublishError, BrokerUnavailableError] == [type(outcome) for outcome in outcomes]
    assert waited_s < DEADLINE_S * 2
    assert IDS[2] not in queued
    assert {IDS[0], IDS[3]} <= set(queued)


async def test_a_restarted_redis_is_found_again() -> None:
    """The first launch after a restart on the same port needs no restart of ours."""
    port = find_free_port("127.0.0.1")
    client = connect(f"redis://127.0.0.1:{port}/0", deadline_s=DEADLINE_S)
    publisher = make_publisher(client)
    for task_id in IDS[:3]:
        server = ExitStack()
        await asyncio.to_thread(server.enter_context, embedded_valkey(port=port))
        await publish(publisher, make_launch(task_id=task_id))
        queued = await client.llen("compared")
        await asyncio.to_thread(server.close)
        assert isinstance(await publish(publisher, make_launch(task_id=task_id)), BrokerUnavailableError)
        assert 1 == queued
    await client.aclose()
