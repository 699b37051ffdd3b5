"""Followers on a real Redis: whoever is told that nothing is missed from now on misses nothing, whatever breaks before."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from gateway.backends.changes.feed_follower import FeedFollower
from gateway.backends.changes.follower import Follower
from gateway.backends.changes.hub import ChangeHub, RedisSource
from gateway.backends.memory import MemoryBackend, MemoryResults
from gateway.backends.redis.connection import connect
from gateway.backends.redis.feed import RedisFeed
from gateway.backends.redis.log import RedisTaskLog
from gateway.backends.redis.subscription import Subscription
from gateway.backends.redis.trips import SharedTrips
from gateway.errors import ResultsUnavailableError
from tests.backends.test_changes import ID, subscribed

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
async def client(valkey_url: str) -> AsyncIterator[Redis]:
    """An empty database of the run's Valkey."""
    client = connect(f"{valkey_url[:-1]}7", deadline_s=5)
    await client.flushdb()
    yield client
    await client.aclose()


class HasteLog(RedisTaskLog):
    """A log of tasks that hears of a wish to follow one between asking which are followed and reading the answer."""

    feed: RedisFeed
    subscription: Subscription
    is_late: asyncio.Event

    async def find_followed(self) -> list[str]:
        """Return what was true a moment ago."""
        followed = await super().find_followed()
        if not self.is_late.is_set():
            await self.feed.open()
            await self.subscription.fence()
            self.is_late.set()
        return followed


@asynccontextmanager
async def following(client: Redis) -> AsyncIterator[tuple[RedisFeed, HasteLog]]:
    """A follower that runs, its feed, and the log that it asks."""
    trips = SharedTrips(client, deadline_s=5)
    async with subscribed(client) as subscription:
        feed, log = RedisFeed(trips, prefix="gw:"), HasteLog(trips, prefix="gw:")
        log.feed, log.subscription, log.is_late = feed, subscription, asyncio.Event()
        hub = ChangeHub(RedisSource(subscription, channel_of="meta-{}".format, carries_records=True))
        all_tasks = FeedFollower(feed, subscription, pattern="meta-*")
        follower = Follower(hub, log, MemoryResults(MemoryBackend()), subscription, feed=all_tasks)
        running = asyncio.create_task(follower.run())
        try:
            yield feed, log
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def tell(client: Redis, status: str) -> None:
    """Publish a record as a worker does."""
    await client.publish(f"meta-{ID}", json.dumps({"status": status, "result": None, "task_id": ID}))


async def read(feed: RedisFeed, after: str) -> list[str]:
    """Read the feed until something stands in it."""
    while not (entries := await feed.read(after)):
        pass
    return [entry.status for entry in entries]


async def test_a_wish_is_heeded_that_comes_while_the_follower_looks(client: Redis) -> None:
    """An answer that is older than the wish does not undo it."""
    async with following(client) as (feed, log):
        await log.is_late.wait()
        await log.subscription.fence()  # by now that answer has been acted upon
        await feed.wait_for_follower()
        await tell(client, "STARTED")
        told = await read(feed, "0")

    assert ["STARTED"] == told


async def test_a_feed_whose_connection_breaks_is_soon_heard_again(client: Redis) -> None:
    """Until then nobody is promised that nothing is missed."""
    lost = asyncio.Event()
    async with following(client) as (feed, log):
        await log.is_late.wait()
        await feed.wait_for_follower()
        await log.subscription.add_pattern("any*", lambda _, said: lost.set() if said is None else None)
        await client.client_kill_filter(_type="pubsub", skipme=True)
        await lost.wait()
        at = await feed.open()
        await feed.wait_for_follower()
        await tell(client, "STARTED")
        told = await read(feed, at)

    assert ["STARTED"] == told


async def test_a_feed_that_nobody_hears_is_refused(client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client comes again, where it may be heard."""
    monkeypatch.setattr("gateway.backends.redis.feed.FOLLOWER_S", 0.01)
    feed = RedisFeed(SharedTrips(client, deadline_s=5), prefix="gw:")
    feed.expect_follower()

    with pytest.raises(ResultsUnavailableError, match="the result backend is not heard yet"):
        await feed.wait_for_follower()
