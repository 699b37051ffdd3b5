"""The proxy that other tests break things with: each ailment is seen by a client, and healed."""

from collections.abc import Iterator

import pytest
import redis

from tests.faults.proxy import FaultProxy, proxied


@pytest.fixture
def wire(valkey_url: str) -> Iterator[tuple[redis.Redis, FaultProxy]]:
    """A client behind a proxy."""
    with proxied(f"{valkey_url[:-1]}13") as (url, proxy):
        client = redis.Redis.from_url(url, socket_timeout=0.3, retry=None)
        client.delete("count")
        yield client, proxy
        client.close()


def test_every_third_reply_is_dropped_and_its_command_was_run(wire: tuple[redis.Redis, FaultProxy]) -> None:
    """Which is what makes a publish uncertain."""
    client, proxy = wire
    proxy.drop_replies(b"INCR", every=3)

    outcomes = []
    for _ in range(6):
        try:
            outcomes.append(client.incr("count"))
        except redis.exceptions.ConnectionError:
            outcomes.append(None)

    assert [1, 2, None, 4, 5, None] == outcomes
    assert 2 == proxy.dropped
    assert b"6" == client.get("count")


@pytest.mark.parametrize("ailment", [{"is_silent": True}, {"latency_s": 0.6}, {"cut_chance": 1}, {"reset_chance": 1}])
def test_each_ailment_is_felt_and_healed(wire: tuple[redis.Redis, FaultProxy], ailment: dict[str, float]) -> None:
    """By a connection that stood before."""
    client, proxy = wire
    client.ping()

    for name, value in ailment.items():
        setattr(proxy, name, value)
    with pytest.raises((redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)):
        client.ping()
    proxy.heal()

    assert client.ping()


def test_a_refusing_proxy_cuts_what_stands_and_takes_nobody(wire: tuple[redis.Redis, FaultProxy]) -> None:
    """As a server that is down."""
    client, proxy = wire
    client.ping()

    proxy.is_refusing = True
    proxy.cut()

    with pytest.raises(redis.exceptions.ConnectionError):
        client.ping()
