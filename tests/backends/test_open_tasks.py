"""The open tasks, in memory and in a real Redis: walked in slices, by one process at a time."""

from collections.abc import AsyncIterator

import pytest
from redis import Redis as WorkerRedis
from redis.asyncio import Redis

from gateway.backends.memory import MemoryBackend
from gateway.backends.memory_index import MemoryOpenTasks
from gateway.backends.redis.connection import connect
from gateway.backends.redis.ledger import RedisLedger
from gateway.backends.redis.message import Lanes
from gateway.backends.redis.open_tasks import RedisOpenTasks
from gateway.backends.redis.publisher import RedisPublisher
from gateway.backends.redis.trips import SharedTrips
from gateway.launch.offer import Offer
from gateway.ports import End, Ledger, OpenTasks, Publisher, Remembered, Run, Slice
from gateway.worker.ledger import Ledger as WorkerLedger
from gateway.worker.ledger import Run as WorkerRun
from gateway.worker.ledger import describe_end
from tests.backends.test_message import make_launch

IDS = [f"01890000-0000-7000-8000-{number:012x}" for number in range(5)]
FAILED = End(status="FAILURE")


class World:
    """One ledger and its open tasks."""

    def __init__(self, publisher: Publisher, ledger: Ledger, open_tasks: OpenTasks) -> None:
        self.publisher, self.ledger, self.open_tasks = publisher, ledger, open_tasks

    async def recall(self, task_id: str) -> Remembered:
        """Ask for one task, which is there."""
        [remembered] = await self.ledger.find([task_id])
        assert remembered is not None
        return remembered


@pytest.fixture
async def client(valkey_url: str) -> AsyncIterator[Redis]:
    """An empty Redis."""
    client = connect(f"{valkey_url[:-1]}5", deadline_s=2)
    await client.flushdb()
    yield client
    await client.aclose()


@pytest.fixture(params=["memory", "redis"])
async def world(request: pytest.FixtureRequest, client: Redis) -> World:
    """Each kind in turn, with five tasks that are open."""
    if request.param == "memory":
        memory = MemoryBackend()
        world = World(memory, memory, MemoryOpenTasks(memory))
    else:
        publisher = RedisPublisher(client, prefix="gw:", lanes=Lanes(), origin="t", deadline_s=2)
        ledger = RedisLedger(SharedTrips(client, deadline_s=2), prefix="gw:", deadline_s=2)
        world = World(publisher, ledger, RedisOpenTasks(client, prefix="gw:", deadline_s=2))
    await world.publisher.publish([Offer(launch=make_launch(task_id=each)) for each in reversed(IDS)])
    return world


async def test_slices_follow_each_other_by_id(world: World) -> None:
    """Until the set ends."""
    slices = [
        await world.open_tasks.take("", count=3),
        await world.open_tasks.take(IDS[2], count=3),
    ]

    assert [
        Slice(task_ids=tuple(IDS[:3]), following=IDS[2], size=5),
        Slice(task_ids=tuple(IDS[3:]), following="", size=5),
    ] == slices


async def test_what_has_ended_is_open_no_more(world: World) -> None:
    """All ends of a slice are written down in one go; the first end of each stands."""
    await world.ledger.settle(IDS[0], End(status="REVOKED"))
    await world.open_tasks.take("", count=1)

    first = await world.open_tasks.settle({IDS[0]: FAILED, IDS[1]: FAILED}, started={})
    left = await world.open_tasks.take("", count=9)
    failed = await world.open_tasks.trim("FAILURE", "", count=9)

    assert frozenset({IDS[1]}) == first
    assert [End(status="REVOKED"), FAILED] == [(await world.recall(each)).end for each in IDS[:2]]
    assert left is not None
    assert failed is not None
    assert (tuple(IDS[2:]), (IDS[1],)) == (left.task_ids, failed.task_ids)


async def test_a_start_is_noted_without_a_moment(world: World) -> None:
    """With its worker where that is known; nothing else is touched."""
    await world.open_tasks.take("", count=1)
    await world.open_tasks.settle({}, started={IDS[0]: "w@host", IDS[1]: None})

    runs = [(await world.recall(each)).run for each in IDS[:3]]

    assert [Run(is_started=True, worker="w@host"), Run(is_started=True), None] == runs


async def test_what_events_told_of_a_start_stands(client: Redis) -> None:
    """A moment that is known is not forgotten, and what was heard before it is kept."""
    open_tasks = RedisOpenTasks(client, prefix="gw:", deadline_s=2)
    for each in IDS[:2]:
        await client.set(f"gw:task:{each}", "{}", ex=60)
    await client.set(f"gw:run:{IDS[0]}", '{"started_at":"2026-11-24T10:00:00Z"}', ex=60)
    await client.set(f"gw:run:{IDS[1]}", '{"received_at":"2026-11-24T10:00:00Z"}', ex=60)

    await open_tasks.take("", count=1)
    await open_tasks.settle({}, started=dict.fromkeys(IDS, "w@host"))
    noted = [await client.get(f"gw:run:{each}") for each in IDS[:3]]

    assert b'{"started_at":"2026-11-24T10:00:00Z"}' == noted[0]
    assert b'"received_at":"2026-11-24T10:00:00Z"' in noted[1]
    assert b'"is_started":true' in noted[1]
    assert noted[2] is None  # its row is gone
    assert 0 < await client.ttl(f"gw:run:{IDS[1]}") <= 60


async def test_expired_tasks_leave_every_set(client: Redis) -> None:
    """Bounded by the slice that is looked at."""
    open_tasks = RedisOpenTasks(client, prefix="gw:", deadline_s=2)
    await client.set(f"gw:task:{IDS[3]}", "{}", ex=60)
    for name in ("open", "ended:FAILURE"):
        await client.zadd(f"gw:{name}", dict.fromkeys(IDS, 0))

    taken = await open_tasks.take("", count=4)
    trimmed = await open_tasks.trim("FAILURE", "", count=9)

    assert Slice(task_ids=(IDS[3],), following=IDS[3], size=2) == taken
    assert Slice(task_ids=(IDS[3],), following="", size=1) == trimmed
    assert [IDS[3].encode(), IDS[4].encode()] == await client.zrange("gw:open", 0, -1)


async def test_one_process_at_a_time_and_none_that_slept(client: Redis) -> None:
    """Whoever slept past its lease writes nothing, also when nobody took over."""
    first, second = (RedisOpenTasks(client, prefix="gw:", deadline_s=2, lease_s=0.2) for _ in range(2))
    await client.set(f"gw:task:{IDS[0]}", "{}", ex=60)

    takes = [await first.take("", count=1) is not None, await second.take("", count=1) is not None]
    await client.delete("gw:settler")  # as by expiry
    written = [await first.settle({IDS[0]: FAILED}, started={})]
    await client.delete("gw:settler")
    takes.append(await second.take("", count=1) is not None)
    written += [
        await first.settle({IDS[0]: FAILED}, started={}),
        await second.settle({IDS[0]: End(status="SUCCESS")}, started={}),
    ]

    assert [True, False, True] == takes
    assert [frozenset(), frozenset(), frozenset({IDS[0]})] == written
    assert b'{"status":"SUCCESS"}' == await client.get(f"gw:end:{IDS[0]}")
    assert 0 < await client.pttl("gw:settler") <= 200


async def test_an_end_that_a_worker_wrote_is_taken_once(client: Redis, valkey_url: str) -> None:
    """Of all gateways one gets to count it; an end that stood already is not told again."""
    publisher = RedisPublisher(client, prefix="gw:", lanes=Lanes(), origin="t", deadline_s=2)
    await publisher.publish([Offer(launch=make_launch(task_id=each)) for each in IDS[:2]])
    gateways = [RedisOpenTasks(client, prefix="gw:", deadline_s=2) for _ in range(2)]
    with WorkerRedis.from_url(f"{valkey_url[:-1]}5") as worker:
        kit = WorkerLedger(worker, prefix="gw:", lease_s=5)
        for task_id in (*IDS[:2], IDS[0]):
            run = WorkerRun(task_id, "", "w@host", 0, 0.0)
            kit.finish(run, "SUCCESS", describe_end(run, "SUCCESS"))

    taken = [await gateway.take_ended(count=9) for gateway in gateways]

    assert [tuple(IDS[:2]), ()] == taken
