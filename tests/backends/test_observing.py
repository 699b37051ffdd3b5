"""Listening to a real broker, with events as Celery's own dispatcher sends them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from celery import Celery
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.backends.kombu.app import make_app
from gateway.backends.observing.heartbeats import Heartbeats
from gateway.backends.observing.listener import Listener
from gateway.backends.observing.observer import TOLD, Observer
from gateway.backends.observing.questions import Questions
from gateway.backends.observing.roster import MOST_STRANGERS, Roster
from gateway.backends.observing.words import read_run_event
from gateway.backends.redis.connection import connect
from gateway.backends.redis.ledger import RedisLedger
from gateway.backends.redis.message import Lanes
from gateway.backends.redis.observations import RedisObservations, RunEvent
from gateway.backends.redis.publisher import RedisPublisher
from gateway.backends.redis.trips import SharedTrips
from gateway.demo.valkey import embedded_valkey, find_free_port
from gateway.launch.offer import Offer
from gateway.ports import End, Revocation, Run
from tests.backends.test_message import TASK_ID, make_launch
from tests.backends.test_withdrawal import mint_at

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


class World:
    """A ledger and a broker in one Redis."""

    def __init__(self, client: Redis, url: str) -> None:
        self.client, self.url = client, url
        self.ledger = RedisLedger(SharedTrips(client, deadline_s=2), prefix="gw:", deadline_s=2)
        self.publisher = RedisPublisher(client, prefix="gw:", lanes=Lanes(), origin="t", deadline_s=2)
        self.observations = self.observe()

    def observe(self) -> RedisObservations:
        """Return what one process writes with."""
        return RedisObservations(self.client, prefix="gw:", deadline_s=2)

    async def launch(self, *task_ids: str) -> None:
        """Launch tasks."""
        await self.publisher.publish([Offer(launch=make_launch(task_id=each)) for each in task_ids])

    async def read_run(self, task_id: str = TASK_ID) -> Run | None:
        """Return what is noted of a run."""
        [remembered] = await self.ledger.find([task_id])
        return remembered.run if remembered else None


@pytest.fixture
async def world(valkey_url: str) -> AsyncIterator[World]:
    """An empty one."""
    url = f"{valkey_url[:-1]}6"
    client = connect(url, deadline_s=2)
    await client.flushdb()
    yield World(client, url)
    await client.aclose()


@contextmanager
def celery(url: str) -> Iterator[Celery]:
    """An app of anybody's on the broker."""
    app = make_app(url, lanes=Lanes(), deadline_s=2, default_queue="celery")
    yield app
    app.close()


async def wait_until(describe: str, probe: Callable[[], Awaitable[Any]], *, limit_s: float = 10) -> Any:
    """Wait for a condition."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if answer := await probe():
            return answer
        await asyncio.sleep(0.02)
    pytest.fail(f"waited {limit_s:g} s for {describe}")


def event(kind: str, seconds: float, worker: str = "w") -> RunEvent:
    """Make an event of the one task."""
    return RunEvent(TASK_ID, kind, f"{NOW + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S.%fZ}", worker)


async def test_of_each_kind_the_latest_event_stands(world: World) -> None:
    """In whatever order they come, and however often; the worker is that of the latest."""
    await world.launch(TASK_ID)
    events = [event("started_at", 1), event("received_at", 0.5), event("received_at", 2, "v"), event("received_at", 0)]

    for each in (events[:1], events[1:], events):
        assert await world.observations.note_runs(each)

    expected = Run(received_at=NOW + timedelta(seconds=2), started_at=NOW + timedelta(seconds=1), worker="v")
    assert expected == await world.read_run()
    assert 0 < await world.client.ttl(f"gw:run:{TASK_ID}") <= 60


async def test_nothing_is_noted_of_a_task_from_elsewhere(world: World) -> None:
    """Other clients of the same workers launch tasks too."""
    await world.observations.note_runs([event("started_at", 1)])

    assert not [key async for key in world.client.scan_iter("gw:run:*")]


async def test_one_process_at_a_time_notes_events(world: World) -> None:
    """The other one takes over when the lease is free, and the first finds its token refused."""
    first, second = world.observe(), world.observe()

    turns = [await first.note_runs([]), await second.note_runs([]), await first.note_runs([])]
    await world.client.delete("gw:observer")
    turns += [await second.note_runs([]), await first.note_runs([])]

    assert [True, False, True, True, False] == turns


async def test_workers_are_told_of_the_newest_revokes_that_may_not_hold(world: World) -> None:
    """The oldest of them first; what ended, or is certain, is left out."""
    ids = [mint_at(number) for number in range(5)]
    await world.launch(*ids)
    for number, each in enumerate(ids):
        await world.ledger.record_revocations([each], Revocation(requested_at=NOW + timedelta(seconds=number)))
        await world.client.zadd("gw:revoked", {each: number})
    await world.ledger.settle(ids[1], End(status="SUCCESS"))

    told = await world.observations.list_revoked(count=3)
    recent = await world.observations.list_revoked(count=3, within_s=60)

    assert ([ids[2], ids[3], ids[4]], []) == (told, recent)


async def test_what_workers_are_told_is_bounded(world: World) -> None:
    """A ledger full of revokes keeps the newest of them."""
    await world.launch(TASK_ID)
    await world.client.zadd("gw:revoked", {f"old-{number}": number for number in range(TOLD + 100)})
    await world.ledger.record_revocations([TASK_ID], Revocation(requested_at=NOW))

    assert TOLD == await world.client.zcard("gw:revoked")
    assert TASK_ID == (await world.observations.list_revoked(count=TOLD))[-1]


@pytest.mark.parametrize(
    "change",
    [
        {"type": "task-sent"},
        {"uuid": None},
        {"uuid": "x"},
        {"timestamp": "now"},
        {"timestamp": 1e300},
        {"timestamp": None},
    ],
    ids=str,
)
def test_an_odd_event_is_no_event(change: dict[str, Any]) -> None:
    """Anybody may publish anything."""
    sound = {"type": "task-started", "uuid": TASK_ID, "timestamp": 1_800_000_000.25}

    assert RunEvent(TASK_ID, "started_at", "2027-01-15T08:00:00.250000Z", "w") == read_run_event(sound, "w")
    assert read_run_event(sound | change, "w") is None


class Observed:
    """An observer under way."""

    def __init__(self, app: Celery, world: World) -> None:
        self.heartbeats = Heartbeats()
        self.told: list[tuple[list[str], str]] = []
        self.roster = Roster(self.heartbeats, answer_period_s=5)
        self.observer = Observer(app, self.heartbeats, self.roster, world.observe(), refresh_s=5, tell_worker=self.tell)

    async def tell(self, task_ids: Sequence[str], worker: str) -> None:
        """Note what a worker is told."""
        self.told.append((list(task_ids), worker))

    def is_lost(self, worker: str) -> bool:
        """Tell whether a worker has left."""
        return self.heartbeats.find_lost_at(worker, now=time.time(), may_be_silent=False) is not None


@pytest.fixture
async def observed(world: World) -> AsyncIterator[Observed]:
    """An observer on the broker."""
    with celery(world.url) as app:
        observed = Observed(app, world)
        task = asyncio.create_task(observed.observer.run())
        yield observed
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await asyncio.to_thread(observed.observer.join, 5)


def send(app: Celery, *events: tuple[str, dict[str, Any]], hostname: str = "w@h") -> None:
    """Send events as a worker does."""
    with app.connection_for_write() as connection, app.events.Dispatcher(connection, hostname=hostname) as dispatcher:
        for kind, fields in events:
            dispatcher.send(kind, **fields)


def send_as_many(app: Celery, count: int) -> None:
    """Send a heartbeat under each of many names, over one connection."""
    with app.connection_for_write() as connection, app.events.Dispatcher(connection) as dispatcher:
        for number in range(count):
            dispatcher.hostname = f"fake-{number}@h"
            dispatcher.send("worker-heartbeat", freq=2)


async def test_what_workers_say_is_heard(world: World, observed: Observed) -> None:
    """A heartbeat, a start of a task, and a goodbye; a worker that begins is told of what was revoked meanwhile."""
    revoked = mint_at(1)
    await world.launch(TASK_ID, revoked)
    await world.ledger.record_revocations([revoked], Revocation(requested_at=datetime.now(UTC)))
    words = [("worker-online", {"freq": 2}), ("worker-heartbeat", {"freq": 2}), ("task-started", {"uuid": TASK_ID})]

    with celery(world.url) as app:

        async def is_noted() -> Run | None:
            await asyncio.to_thread(send, app, *words)
            return await world.read_run()

        run = await wait_until("the start", is_noted)
        await wait_until("the greeting", lambda: asyncio.sleep(0, observed.told))
        await asyncio.to_thread(send, app, ("worker-offline", {}))
        await wait_until("the goodbye", lambda: asyncio.sleep(0, observed.is_lost("w@h")))
        pings = await asyncio.to_thread(app.control.ping, timeout=0.3)
        hello = await asyncio.to_thread(app.control.inspect(timeout=1).hello, "w@h", [])

    assert run.worker == "w@h"
    assert ([revoked], "w@h") == observed.told[0]
    assert [] == pings
    [answer] = hello.values()
    assert [revoked] == answer["revoked"]
    assert isinstance(answer["clock"], int)


async def test_a_broker_that_comes_back_is_heard_again() -> None:
    """On the same port, though nothing of it is left."""
    port = find_free_port("127.0.0.1")
    url = f"redis://127.0.0.1:{port}/0"
    client = connect(url, deadline_s=2)
    world = World(client, url)
    with celery(url) as app, celery(url) as other:
        observed = Observed(app, world)
        task = asyncio.create_task(observed.observer.run())
        for worker in ("first@h", "second@h"):
            with embedded_valkey(port=port):

                async def is_heard(worker: str = worker) -> bool:
                    with suppress(Exception):  # a connection of the pool may be one to the server that is gone
                        await asyncio.to_thread(send, other, ("worker-offline", {}), hostname=worker)
                    return observed.is_lost(worker)

                await wait_until(f"a word of {worker}", is_heard)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await asyncio.to_thread(observed.observer.join, 5)
    await client.aclose()


async def test_nonsense_on_the_broker_is_passed_over(world: World, observed: Observed) -> None:
    """Whatever stands in an event, what is said after it is heard; of many names few are kept."""
    odd: list[tuple[str, dict[str, Any]]] = [
        ("worker-heartbeat", {"freq": 10**400, "active": "x", "loadavg": {"a": 1}, "sw_ver": "\ud800"}),
        ("worker-online", {"freq": float("nan"), "processed": [], "loadavg": [None, "x"]}),
        ("task-started", {"uuid": {"a": 1}, "timestamp": float("inf")}),
        ("\x1b[2J", {}),
    ]

    with celery(world.url) as app:
        for hostname in ("w@h", "\x1b[31m", "x" * 5000, "a\u202eb"):
            await asyncio.to_thread(send, app, *odd, hostname=hostname)
        await asyncio.to_thread(send_as_many, app, 300)

        async def is_heard() -> bool:
            await asyncio.to_thread(send, app, ("worker-offline", {}), hostname="last@h")
            return observed.is_lost("last@h")

        await wait_until("a word after all that", is_heard)
        observed.roster.publish(time.time() + 5)

    shown = observed.roster.view.workers
    assert 0 < len(shown) <= MOST_STRANGERS
    assert all(each.startswith("fake-") or each in {"w@h", "last@h"} for each in shown)


async def test_a_worker_that_floods_is_heard_no_faster_than_others_can_bear(
    world: World, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said once; what another worker says then is heard all the same."""
    monkeypatch.setattr("gateway.backends.observing.listener.MOST_PER_S", 100)
    beats = [("worker-heartbeat", {"freq": 2})] * 150

    with celery(world.url) as app, capture_logs() as logs:

        async def is_flooded() -> bool:
            await asyncio.to_thread(send, app, *beats, hostname="loud@h")
            return any(each["event"] == "events_flooding" for each in logs)

        await wait_until("the complaint", is_flooded)
        await asyncio.to_thread(send, app, *beats, hostname="loud@h")

        async def is_heard() -> bool:
            await asyncio.to_thread(send, app, ("worker-offline", {}), hostname="quiet@h")
            return observed.is_lost("quiet@h")

        await wait_until("a word of another one", is_heard)

    assert 1 == sum(each["event"] == "events_flooding" for each in logs)
    assert not observed.is_lost("loud@h")


def test_answers_of_anybody_are_read_with_care() -> None:
    """A reply that is no dictionary, a worker that cannot be named, an answer that is none."""
    roster = Roster(Heartbeats(), answer_period_s=5)
    bodies: list[object] = [
        None,
        [],
        "x",
        {"w@h": None},
        {"w@h": {"error": "no"}},
        {"\n": []},
        {7: []},
        {"v@h": [{"id": {}}]},
    ]
    with celery("memory://") as app:
        listener = Listener(app, roster, Questions(refresh_s=5), hear=lambda *_: None, find_revoked=list)
        for body in bodies:
            for method in ("registered", "stats", "active", "unknown"):
                listener._take_answer(method, body)
    roster.publish(time.time() + 5)

    assert {"w@h", "v@h"} == roster.view.workers.keys()
    msgspec.json.encode(roster.view)
