"""Taking messages out of a real queue: wherever they are, whoever wrote them, and no other one."""

import json
import os
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.backends.redis.connection import connect
from gateway.backends.redis.message import Lanes, build_message
from gateway.backends.redis.withdrawal import QueueSearch
from gateway.launch.task_id import ENTROPY_BYTES, mint
from gateway.launch.withdrawal import Taking, Withdrawal
from gateway.ports import Revocation
from tests.backends.test_message import make_launch

WISH = Revocation(requested_at=datetime(2026, 11, 24, tzinfo=UTC))
QUEUE = "compared"
FIRST_MS = 1_800_000_000_000


def mint_at(ms: int) -> str:
    """Mint the id of a launch of a moment."""
    return mint(now_ms=FIRST_MS + ms, entropy=os.urandom(ENTROPY_BYTES), identity=b"test")


def build(task_id: str, **changes: Any) -> bytes:
    """Build the message of a launch."""
    launch = make_launch(task_id=task_id, params={"note": f'"headers":{{"id":"{task_id}"}}'}, **changes)
    return build_message(launch, origin="t")


def rewrite(message: bytes, **headers: Any) -> bytes:
    """Write a message as Kombu does when it has read it, with other headers."""
    read = json.loads(message)
    read["headers"] |= headers
    return json.dumps(read).encode()


@pytest.fixture
async def client(lone_valkey_url: str) -> AsyncIterator[Redis]:
    """A real Redis broker, empty."""
    client = connect(f"{lone_valkey_url[:-1]}4", deadline_s=5)
    await client.flushdb()
    yield client
    await client.aclose()


async def withdraw(client: Redis, *task_ids: str, is_started: bool = False, prefix: str = "") -> dict[str, Taking]:
    """Take back the messages of tasks."""
    search = QueueSearch(client, lanes=Lanes(key_prefix=prefix), deadline_s=4)
    return await search.withdraw(
        [Withdrawal(task_id=each, queue=QUEUE, is_started=is_started) for each in task_ids], WISH
    )


@pytest.mark.parametrize("place", [0, 1, 39, 70, 2500, 4930, 4999])
async def test_a_message_is_found_anywhere_among_thousands(client: Redis, place: int) -> None:
    """In one step, where its time says that it should be; every other message stays."""
    ids = [mint_at(number) for number in range(5000)]
    await client.lpush(QUEUE, *(build(each) for each in ids))

    before = (await client.info("commandstats")).get("cmdstat_eval", {"calls": 0})["calls"]
    taken = await withdraw(client, ids[place])
    steps = (await client.info("commandstats"))["cmdstat_eval"]["calls"] - before

    assert ({ids[place]: "confirmed"}, 1) == (taken, steps)
    left = [json.loads(each)["headers"]["id"] for each in await client.lrange(QUEUE, 0, -1)]
    assert [each for each in reversed(ids) if each != ids[place]] == left


async def test_a_message_out_of_its_place_is_found_too(client: Redis) -> None:
    """By searching the whole queue, among messages of others whose ids say nothing, and those that are not even messages."""
    strays = [mint_at(0), mint_at(9_000_000)]
    others = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(1500)]
    random.shuffle(others)
    queue = [rewrite(build(each)) for each in others]
    for at, stray in zip((700, 800), strays, strict=True):
        queue.insert(at, rewrite(build(stray)))
    await client.lpush(QUEUE, *queue, "no message", "", '{"headers": {"id": 5}}', '{"headers":', b"\xff")

    taken = await withdraw(client, *strays, mint_at(5))

    assert dict.fromkeys(strays, "confirmed") == taken
    assert 1505 == await client.llen(QUEUE)


async def test_many_are_taken_in_one_go(client: Redis) -> None:
    """Half a queue, of all priorities, and none of the other half."""
    ids = [mint_at(number) for number in range(2000)]
    for number, each in enumerate(ids):
        await client.lpush(Lanes().choose(QUEUE, number % 10), build(each))

    taken = await withdraw(client, *ids[::2])

    assert dict.fromkeys(ids[::2], "confirmed") == taken
    assert 1000 == sum([await client.llen(each) for each in Lanes().list_all(QUEUE)])


async def test_a_message_that_was_put_back_proves_nothing(client: Redis) -> None:
    """A worker that was too slow for the visibility timeout may still run the task; so may one that is said to."""
    put_back, running = mint_at(1), mint_at(2)
    await client.rpush(QUEUE, rewrite(build(put_back), redelivered=True), build(running))

    taken = await withdraw(client, put_back)
    also = await withdraw(client, running, is_started=True)

    assert ({put_back: "withdrawn"}, {running: "withdrawn"}) == (taken, also)
    assert 0 == await client.llen(QUEUE)


async def test_what_a_worker_holds_is_never_put_back(client: Redis) -> None:
    """Kombu restores from a hash; what is not in it is not restored. The worker may still run it."""
    held, other = mint_at(1), mint_at(2)
    for each in (held, other):
        await client.hset("kp_unacked", each, "[]")
        await client.zadd("kp_unacked_index", {each: 1})

    taken = await withdraw(client, held, prefix="kp_")

    assert {held: "withdrawn"} == taken
    assert ([other.encode()], [other.encode()]) == (
        await client.hkeys("kp_unacked"),
        await client.zrange("kp_unacked_index", 0, -1),
    )


async def test_a_message_that_only_speaks_of_a_task_stays(client: Redis) -> None:
    """Another task's params may hold anything, the id and the looks of a header included."""
    wanted = mint_at(1)
    launch = make_launch(task_id=mint_at(2), params={"a": f'"headers":{{"id":"{wanted}"'})
    await client.lpush(QUEUE, rewrite(build_message(launch, origin=wanted), root_id=wanted))

    assert {} == await withdraw(client, wanted)
    assert 1 == await client.llen(QUEUE)
