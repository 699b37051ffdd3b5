"""The history in memory and in a real Redis: every filter, page by page, against the plain list of what was launched."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from typing import Any

import msgspec
import pytest
import redis
from redis.asyncio import Redis

from benchmarks._rows import make_rows, write_rows
from gateway.backends.memory import MemoryBackend
from gateway.backends.redis.connection import connect
from gateway.backends.redis.history import RedisHistory
from gateway.backends.redis.ledger import RedisLedger
from gateway.backends.redis.message import Lanes
from gateway.backends.redis.publisher import RedisPublisher
from gateway.backends.redis.results import RedisResults
from gateway.backends.redis.trips import SharedTrips
from gateway.catalog.deployment import Deployment
from gateway.catalog.view import see_all
from gateway.demo.valkey import embedded_valkey
from gateway.flows.history import MOST_EXAMINED, browse
from gateway.flows.services import Services
from gateway.history.filters import Filters
from gateway.launch.launch import Launch, Lineage
from gateway.launch.offer import Offer
from gateway.launch.task_id import mint
from gateway.loading import compile_sources
from gateway.ports import End, Remembered
from tests.backends.test_message import make_launch
from tests.services import make_services

EVERYTHING = see_all(compile_sources({"tasks.yaml": b"version: 1\ntasks: {}\n"}, Deployment()))
BATCHES = [None, *(f"01890000-0000-7000-8000-00000000000{number}" for number in range(2))]
TOGETHER = 16
"""Launches that share an entry of the history in Redis, at most."""
STATUSES = ["SUCCESS", "FAILURE", "REVOKED", "STARTED", "PENDING", "mine"]


def make_id(number: int, moment: datetime) -> str:
    """Mint the id of a launch."""
    return mint(now_ms=int(moment.timestamp() * 1000), entropy=number.to_bytes(7), identity=b"i")


def make_launches(count: int, begin: datetime) -> list[tuple[Launch, str, bool]]:
    """Make launches a second apart, each with its status and whether the ledger knows the end; retries among them."""
    random = Random(5)  # noqa: S311 - the same launches in every run
    made: list[tuple[Launch, str, bool]] = []
    for number in range(count):
        moment = begin + timedelta(seconds=number / count)
        lineage = None
        if made and random.random() < 0.4:
            first = random.choice(made)[0]
            root_id = first.lineage.root_id if first.lineage else first.task_id
            lineage = Lineage(retry_of=first.task_id, root_id=root_id, attempt=2)
        launch = make_launch(
            task_id=make_id(number, moment), launched_at=moment, task_type=random.choice(["a.b", "a.c"]),
            batch_id=random.choice(BATCHES), lineage=lineage,
        )  # fmt: skip
        made.append((launch, random.choice(STATUSES), random.random() < 0.7))
    return made


class World:
    """One kind of everything, with what was launched."""

    def __init__(self, services: Services, say: Callable[[str, bytes], Any]) -> None:
        self.services, self._say = services, say
        self.launched: list[tuple[Launch, str]] = []
        self.begin = datetime.now(UTC)

    async def fill(self, count: int) -> None:
        """Launch tasks, some of them together, and let them come as far as their status says."""
        made = make_launches(count, self.begin)
        for first in range(0, count, 3 * TOGETHER):
            single, *others = made[first : first + 3 * TOGETHER]
            for some in ([single], others):
                await self.services.publisher.publish([Offer(launch=launch) for launch, _, _ in some])
        for launch, status, is_settled in made:
            self.launched.append((launch, status))
            if status != "PENDING":
                await self._say(launch.task_id, json.dumps({"status": status, "result": None}).encode())
            if is_settled and status in STATUSES[:3]:
                await self.services.ledger.settle(launch.task_id, End(status=status))

    async def find(self, filters: Filters, *, limit: int) -> list[str]:
        """Walk over all pages; return the ids."""
        found: list[str] = []
        cursor = None
        for _ in range(1000):
            page = await browse(filters, EVERYTHING, self.services, cursor=cursor, limit=limit, prefix="/p")
            assert len(page.items) <= limit
            found += (each.task_id for each in page.items)
            cursor = page.next_cursor
            if cursor is None:
                return found
        pytest.fail("the pages do not end")

    def expect(self, filters: Filters) -> list[str]:
        """Find the same in the plain list."""
        return [
            launch.task_id
            for launch, status in reversed(self.launched)
            if filters.task_type in {None, launch.task_type}
            and filters.status in {None, status}
            and filters.batch in {None, launch.batch_id}
            and filters.retry_of in {None, launch.lineage.retry_of if launch.lineage else 0}
            and (filters.since or self.begin) <= launch.launched_at < (filters.until or self.begin + timedelta(days=1))
        ]


@pytest.fixture
async def client(valkey_url: str) -> AsyncIterator[Redis]:
    """An empty Redis."""
    client = connect(f"{valkey_url[:-1]}6", deadline_s=5)
    await client.flushdb()
    yield client
    await client.aclose()


@pytest.fixture(params=["memory", "redis"])
def world(request: pytest.FixtureRequest, client: Redis) -> World:
    """Each kind in turn, empty."""
    return make_memory_world() if request.param == "memory" else make_redis_world(client)


def make_memory_world() -> World:
    """Keep everything in memory."""
    memory = MemoryBackend()

    async def say(task_id: str, record: bytes) -> None:
        memory.records[task_id] = record

    return World(make_services(memory), say)


def make_redis_world(client: Redis) -> World:
    """Keep everything in Redis."""
    trips = SharedTrips(client, deadline_s=5)

    async def say(task_id: str, record: bytes) -> None:
        await client.set(f"celery-task-meta-{task_id}", record, ex=60)

    services = make_services(
        MemoryBackend(),
        publisher=RedisPublisher(client, prefix="gw:", lanes=Lanes(), origin="t", deadline_s=5),
        ledger=RedisLedger(trips, prefix="gw:", deadline_s=5),
        results=RedisResults(trips, key_prefix="", deadline_s=5, max_bytes=4096),
        history=RedisHistory(trips, prefix="gw:"),
    )
    return World(services, say)


async def test_every_filter_finds_what_it_says_and_nothing_else(world: World) -> None:
    """Alone and together, over all pages; also what has ended though the ledger does not know yet."""
    await world.fill(60)
    ids = [launch.task_id for launch, _ in world.launched]
    bounds = [(None, None), (world.launched[20][0].launched_at, None), (world.begin, world.launched[40][0].launched_at)]
    queries = [
        Filters(task_type=task_type, status=status, batch=batch, since=since, until=until)
        for task_type, status, batch, (since, until) in product(
            [None, "a.b", "gone"], [None, *STATUSES], BATCHES, bounds
        )
    ] + [Filters(retry_of=each) for each in ids]

    found = {filters: await world.find(filters, limit=7) for filters in queries}

    assert {filters: world.expect(filters) for filters in queries} == found
    assert any(len(each) > 14 for each in found.values())


async def test_unfinished_tasks_are_found_whatever_they_are_called(world: World) -> None:
    """Waiting, running, or in a state of the task's own."""
    await world.fill(30)

    found = await world.find(Filters(is_unfinished=True), limit=4)

    assert [launch.task_id for launch, status in reversed(world.launched) if status in STATUSES[3:]] == found


async def test_what_has_expired_is_passed_over(client: Redis) -> None:
    """The indexes may still hold it."""
    world = make_redis_world(client)
    await world.fill(20)
    gone = {launch.task_id for launch, _ in world.launched[::2]}
    await client.delete(*(f"gw:task:{each}" for each in gone))

    found = await world.find(Filters(), limit=3)

    assert [each for each in world.expect(Filters()) if each not in gone] == found


async def test_what_is_launched_meanwhile_moves_no_page(world: World) -> None:
    """A cursor names a place, not a number of tasks."""
    await world.fill(10)
    first = await browse(Filters(), EVERYTHING, world.services, cursor=None, limit=5, prefix="/p")
    now = world.begin + timedelta(seconds=5)
    late = make_launch(task_id=make_id(99, now), launched_at=now)
    await world.services.publisher.publish([Offer(launch=late)])

    second = await browse(Filters(), EVERYTHING, world.services, cursor=first.next_cursor, limit=5, prefix="/p")

    assert world.expect(Filters()) == [each.task_id for each in (*first.items, *second.items)]


class CountingLedger:
    """A ledger that counts what it is asked for."""

    def __init__(self, ledger: RedisLedger) -> None:
        self._ledger = ledger
        self.asked = 0

    async def find(self, task_ids: Any) -> list[Remembered | None]:
        """Ask for tasks."""
        self.asked += len(task_ids)
        return await self._ledger.find(task_ids)


async def test_no_page_costs_more_than_its_bound() -> None:
    """Of 20,000 tasks none of which is wanted so many are looked at as of 1,000, and the page says where to go on."""
    costs = []
    with embedded_valkey() as url, redis.Redis.from_url(url) as writing:  # to which nobody else sends commands
        write_rows(writing, "gw:", make_rows(20_000, choose_status=lambda number: "FAILURE" if number % 2 else None))
        async with connect(url, deadline_s=5) as client:
            counting = CountingLedger(RedisLedger(SharedTrips(client, deadline_s=5), prefix="gw:", deadline_s=5))
            services = msgspec.structs.replace(make_redis_world(client).services, ledger=counting)
            for status in ("SUCCESS", "REVOKED", "mine", "FAILURE"):
                filters = Filters(status=status)
                before = await count_commands(client)
                counting.asked = 0
                page = await browse(filters, EVERYTHING, services, cursor=None, limit=50, prefix="/p")
                spent = await count_commands(client) - before
                costs.append((len(page.items), page.next_cursor is not None, counting.asked, spent))

    assert [(0, True)] * 3 + [(50, True)] == [cost[:2] for cost in costs]
    assert all(asked <= MOST_EXAMINED for _, _, asked, _ in costs)
    assert all(commands <= MOST_EXAMINED + 60 for _, _, _, commands in costs)  # one for each record that is asked for


async def count_commands(client: Redis) -> int:
    """Return how many commands a Redis has run."""
    return int((await client.info("stats"))["total_commands_processed"])
