"""What a Redis is set to, judged before launches depend on it."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from gateway.backends.redis.connection import connect
from gateway.backends.redis.safety import find_dangers, judge
from gateway.demo.valkey import embedded_valkey, find_free_port
from gateway.errors import LedgerUnavailableError

SNAPSHOTS = "appendonly is off and only snapshots are kept: what was accepted is lost when it dies"
NOTHING = "appendonly is off and nothing is kept: what was accepted is lost when it dies"


@pytest.fixture
async def own_redis() -> AsyncIterator[Redis]:
    """A server of the test's own, to be set badly."""
    with embedded_valkey() as url:
        client = connect(url, deadline_s=2)
        yield client
        await client.aclose()


@pytest.mark.parametrize(
    ("changes", "dangers"),
    [
        pytest.param({}, (), id="append-only file"),
        pytest.param({"appendonly": "no", "save": "60 1"}, (SNAPSHOTS,), id="snapshots only"),
        pytest.param({"appendonly": "no", "save": ""}, (NOTHING,), id="no persistence"),
        pytest.param(
            {"maxmemory-policy": "allkeys-lru", "maxmemory": "100mb"},
            ("maxmemory-policy is allkeys-lru: ledger rows and queues are evicted as soon as memory is full",),
            id="evicting",
        ),
        pytest.param(
            {"maxmemory-policy": "volatile-ttl", "maxmemory": "0"},
            ("maxmemory-policy is volatile-ttl: ledger rows and queues are evicted once maxmemory is set",),
            id="evicting later",
        ),
        pytest.param(
            {"appendonly": "no", "save": "", "maxmemory-policy": "allkeys-random", "maxmemory": "100mb"},
            (
                NOTHING,
                "maxmemory-policy is allkeys-random: ledger rows and queues are evicted as soon as memory is full",
            ),
            id="both",
        ),
    ],
)
async def test_each_setting_has_its_verdict(
    own_redis: Redis, changes: dict[str, str], dangers: tuple[str, ...]
) -> None:
    """One sentence for each way to lose launches."""
    for name, value in changes.items():
        await own_redis.config_set(name, value)

    assert dangers == await find_dangers(own_redis, deadline_s=2)


async def test_a_server_that_tells_nothing_is_not_taken_for_safe(own_redis: Redis) -> None:
    """As managed ones do."""
    await own_redis.execute_command("ACL", "SETUSER", "default", "-config")

    (danger,) = await find_dangers(own_redis, deadline_s=2)

    assert "is not known" in danger


async def test_one_that_is_away_is_away() -> None:
    """Which is something else than unsafe."""
    client = connect(f"redis://127.0.0.1:{find_free_port('127.0.0.1')}/0", deadline_s=2)

    with pytest.raises(LedgerUnavailableError, match="Redis cannot be reached"):
        await find_dangers(client, deadline_s=2)


def test_nothing_said_is_not_safe() -> None:
    """Without `appendonly` there is no append-only file."""
    assert (NOTHING,) == judge({})
