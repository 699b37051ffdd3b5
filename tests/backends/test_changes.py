"""News of tasks from a real Redis: heard at once, over one connection, also after it broke; logged once, whoever hears it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from gateway.backends.changes.hub import ChangeHub, RedisSource
from gateway.backends.changes.polling import PollingSource
from gateway.backends.memory import MemoryBackend, MemoryResults
from gateway.backends.redis.connection import connect
from gateway.backends.redis.log import RedisTaskLog
from gateway.backends.redis.subscription import Subscription
from gateway.backends.redis.trips import SharedTrips
from gateway.demo.valkey import embedded_valkey
from gateway.errors import LedgerUnavailableError
from gateway.ports import Found

ID = "01890000-0000-7000-8000-00000000000f"
pytestmark = pytest.mark.timeout(30)


@asynccontextmanager
async def subscribed(client: Redis, *, deadline_s: float = 5.0) -> AsyncIterator[Subscription]:
    """A subscription that runs."""
    subscription = Subscription(client, deadline_s=deadline_s, failure=LedgerUnavailableError, what="the ledger")
    running = asyncio.create_task(subscription.run())
    try:
        yield subscription
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def client(valkey_url: str) -> AsyncIterator[Redis]:
    """An empty database of the run's Valkey."""
    client = connect(f"{valkey_url[:-1]}6", deadline_s=5)
    await client.flushdb()
    yield client
    await client.aclose()


async def test_what_is_published_is_heard_in_order_over_one_connection(client: Redis) -> None:
    """However many listen; what was published before the fence has been heard behind it."""
    heard: dict[str, list[bytes | None]] = {f"news:{number}": [] for number in range(200)}
    async with subscribed(client) as subscription:
        await asyncio.gather(*(subscription.add(name, hear.append) for name, hear in heard.items()))
        for round_ in range(3):
            for name in heard:
                await client.publish(name, f"{round_}")
        await subscription.fence()
        listeners = [each for each in await client.client_list() if int(each["sub"]) > 0 and each["db"] == "6"]
        subscription.remove("news:0")
        await subscription.fence()
        await client.publish("news:0", "late")
        await subscription.fence()

    assert [[b"0", b"1", b"2"]] * 200 == list(heard.values())
    assert ["200"] == [each["sub"] for each in listeners]


async def test_a_pattern_is_heard_beside_the_channel_of_its_name(client: Redis) -> None:
    """Though that came first; and it stays when the channel is left."""
    heard: list[tuple[bytes, bytes | None]] = []
    async with subscribed(client) as subscription:
        await subscription.add("news:*", lambda _: None)
        await subscription.add_pattern("news:*", lambda *said: heard.append(said))
        await client.publish("news:a", "both")
        await subscription.fence()
        subscription.remove("news:*")
        await subscription.fence()
        await client.publish("news:b", "one")
        await subscription.fence()
        subscription.remove_pattern("news:*")
        await subscription.fence()
        await client.publish("news:c", "none")
        await subscription.fence()

    assert [(b"news:a", b"both"), (b"news:b", b"one")] == heard


async def test_a_redis_that_comes_back_is_heard_again() -> None:
    """Whoever listens is told that something may have been missed; while it is away, nobody new is promised anything."""
    heard: list[bytes | None] = []
    with ExitStack() as stack:
        url = stack.enter_context(embedded_valkey())
        port = int(url.rpartition(":")[2].partition("/")[0])
        client = connect(url, deadline_s=1)
        async with subscribed(client, deadline_s=1) as subscription:
            await until(lambda: subscription.add("news", heard.append))
            stack.close()
            with pytest.raises(LedgerUnavailableError):
                await subscription.add("other", heard.append)
            with embedded_valkey(port=port):
                await until(lambda: subscription.add("news", heard.append))
                await client.publish("news", "again")
                await client.publish("other", "too")
                await subscription.fence()
        await client.aclose()

    assert None in heard
    assert [b"again", b"too"] == heard[-2:]


async def test_what_was_missed_meanwhile_is_told_when_it_is_heard_again(client: Redis) -> None:
    """Not only that the connection broke; a fence that is asked for in between stands behind that, as do all later ones."""
    heard: list[bytes | None] = []
    lost = asyncio.Event()
    async with subscribed(client) as subscription:
        await subscription.add("news", heard.append)
        await subscription.add_pattern("n*", lambda _, said: lost.set() if said is None else None)
        await client.client_kill_filter(_type="pubsub", skipme=True)
        await lost.wait()
        told_at_once = list(heard)
        await client.publish("news", "missed")
        await subscription.fence()
        told_again = list(heard)
        await client.publish("news", "heard")
        await subscription.fence()

    assert ([None], [None, None]) == (told_at_once, told_again)
    assert b"heard" == heard[-1]


async def until(ask: object) -> None:
    """Ask until the ledger answers, or the test's time is over."""
    while True:
        try:
            await ask()  # type: ignore[operator]
        except LedgerUnavailableError:
            continue
        return


async def test_a_watch_misses_nothing_and_costs_nothing_afterwards(client: Redis) -> None:
    """News between two waits counts; a watch that has ended leaves no subscription."""
    async with subscribed(client) as subscription:
        hub = ChangeHub(RedisSource(subscription, channel_of="news:{}".format, carries_records=True))
        async with hub.watch(ID) as watch, hub.watch(ID) as other:
            await client.publish(f"news:{ID}", "x")
            await hub.fence()
            first = [await watch.wait(5), await other.wait(5)]
            none = await watch.wait(0)
            hub.stop()
            stopped = await watch.wait(5)
        await subscription.fence()
        counts = await client.pubsub_numsub(f"news:{ID}")

    assert (["changed", "changed"], "none", "stopped") == (first, none, stopped)
    assert 0 == counts[0][1]


async def test_a_backend_that_tells_nobody_is_polled_for_all_at_once() -> None:
    """Each change is passed on once, to those who wait for that task."""
    backend = MemoryBackend()
    polling = PollingSource(MemoryResults(backend))
    hub = ChangeHub(polling)
    async with hub.watch(ID) as watch:
        await polling.poll()
        begun = await watch.wait(0)
        await polling.poll()
        quiet = await watch.wait(0)
        backend.records[ID] = b"{}"
        backend.records["another"] = b"{}"
        await polling.poll()
        changed = await watch.wait(0)

    assert ("changed", "none", "changed") == (begun, quiet, changed)


RECORDS = st.lists(st.sampled_from("abc"), max_size=8).map(
    lambda letters: [letter for index, letter in enumerate(letters) if index == 0 or letters[index - 1] != letter]
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(records=RECORDS, turns=st.lists(st.integers(0, 2), max_size=40))
async def test_what_several_hear_is_logged_once_and_in_order(
    valkey_url: str, records: list[str], turns: list[int]
) -> None:
    """Three gateways hear the same sequence, each at its own pace, states that come again among it."""
    client = connect(f"{valkey_url[:-1]}6", deadline_s=5)
    await client.flushdb()
    log = RedisTaskLog(SharedTrips(client, deadline_s=5), prefix="gw:")
    await log.open(ID, None)
    begin = await log.find_end(ID)
    at, heard = [begin] * 3, [0] * 3

    for turn in [*turns, *(number for number in range(3) for _ in records)]:
        if heard[turn] < len(records):
            raw = records[heard[turn]].encode()
            at[turn] = await log.append(ID, Found(head=raw, size=1), at=at[turn], is_inclusive=False)
            heard[turn] += 1
    entries = await log.read(ID, begin)
    await client.aclose()

    assert records == [entry.record.head.decode() for entry in entries if entry.record is not None]


async def test_a_log_begins_with_what_is_known(client: Redis) -> None:
    """Opened again it stays as it is; nobody writes into the log of a task that nobody follows."""
    log = RedisTaskLog(SharedTrips(client, deadline_s=5), prefix="gw:")
    await client.set(f"gw:end:{ID}", b'{"status":"SUCCESS"}')
    large = Found(head=b"a" * 20_000, size=20_000)

    nowhere = await log.append(ID, large, at="0", is_inclusive=False)
    await log.open(ID, large)
    await log.open(ID, None)
    entries = await log.read(ID, "0")
    followed = await log.find_followed()
    lives = [await client.ttl(key) for key in (f"gw:log:{ID}", "gw:streams")]

    assert "0" == nowhere
    assert 1 == len(entries)
    assert entries[0].end is not None
    assert entries[0].record is not None
    assert ("SUCCESS", 20_000, False) == (
        entries[0].end.status, entries[0].record.size, entries[0].record.is_whole,
    )  # fmt: skip
    assert [ID] == followed
    assert all(0 < left <= 600 for left in lives)
