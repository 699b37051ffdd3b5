"""The audit in Redis: bounded, written together, and honest about what is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from gateway.access.deed import Deed
from gateway.backends.redis import audit as module
from gateway.backends.redis.audit import RedisAudit
from gateway.backends.redis.connection import connect
from gateway.backends.redis.ledger import RedisLedger
from gateway.backends.redis.trips import SharedTrips
from gateway.demo.valkey import find_free_port
from gateway.errors import LedgerUnavailableError

AT = datetime(2026, 11, 25, tzinfo=UTC)


def deed(number: int = 0, **members: Any) -> Deed:
    """Make a deed."""
    known = {"at": AT, "action": "launch", "outcome": "accepted", "caller": f"key:{number}"}
    return Deed(**known | members)


@asynccontextmanager
async def keep(url: str, **options: Any) -> AsyncIterator[tuple[RedisAudit, Redis]]:
    """Keep an audit of its own."""
    client = connect(url, deadline_s=5)
    trips = SharedTrips(client, deadline_s=5)
    ledger = RedisLedger(trips, prefix="audited:", deadline_s=5)
    with suppress(LedgerUnavailableError):  # where something was launched, it has been asked for
        await ledger.identity()
    yield RedisAudit(trips, ledger, prefix="audited:", **{"limit": 1000} | options), client
    await client.aclose()


@pytest.fixture
async def kept(valkey_url: str) -> AsyncIterator[tuple[RedisAudit, Redis]]:
    """An audit on the run's Valkey."""
    async with keep(valkey_url) as (audit, client):
        await client.delete("audited:audit")
        yield audit, client
        await client.delete("audited:audit", "audited:identity")


async def test_deeds_are_found_the_newest_first(kept: tuple[RedisAudit, Redis]) -> None:
    """Page by page; the stream expires, and holds no value."""
    audit, client = kept
    for number in range(450):
        audit.note(deed(number, params_digest=audit.sign({"company": "hunter2"})))
    await audit.write()

    found = await audit.read(None)
    positions = [position for position, _ in found]
    places = (0, 1, 15, 16, 17, 33, 448, 449)
    behind = [[position for position, _ in await audit.read(positions[at])] for at in places]

    assert [f"key:{n}" for n in reversed(range(450))] == [each.caller for _, each in found]
    assert [positions[at + 1 :] for at in places] == behind
    assert 1 == len({each.params_digest for _, each in found})
    assert (await client.ttl("audited:audit")) > 0
    assert b"hunter2" not in b"".join(fields[b"r"] for _, fields in await client.xrange("audited:audit"))


async def test_the_digest_tells_params_apart_and_needs_the_key_of_the_deployment(
    kept: tuple[RedisAudit, Redis],
) -> None:
    """In whatever order they come."""
    audit, _ = kept
    for params in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": 3}):
        audit.note(deed(params_digest=audit.sign(params)))
    await audit.write()

    third, second, first = [each.params_digest for _, each in await audit.read(None)]

    assert first == second != third


async def test_the_stream_is_bounded(valkey_url: str) -> None:
    """The oldest records go."""
    async with keep(valkey_url, limit=30) as (audit, client):
        await client.delete("audited:audit")
        for number in range(9000):
            audit.note(deed(number))
        await audit.write()

        assert 30 <= await client.xlen("audited:audit") < 200
        assert "key:8999" == (await audit.read(None))[0][1].caller


async def test_a_flood_is_written_as_it_comes(kept: tuple[RedisAudit, Redis], monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a thousand records in each round trip, and with them what comes meanwhile: else a flood would hide deeds."""
    audit, client = kept
    asked, count = audit._trips.ask, 5 * module.AT_ONCE
    trips: list[int] = []

    def ask(command: Any) -> Any:
        if not trips:
            for number in range(module.AT_ONCE):
                audit.note(deed(number))
        trips.append(len(command))
        return asked(command)

    monkeypatch.setattr(audit._trips, "ask", ask)
    for number in range(count):
        audit.note(deed(number))
    await audit.write()

    entries = await client.xrange("audited:audit")
    written = sum(fields[b"r"].count(b"\n") + 1 for _, fields in entries)
    assert (count + module.AT_ONCE, 6) == (written, len(trips))
    assert module.AT_ONCE > 1000


async def test_strangers_are_counted_and_do_not_write_it_full(kept: tuple[RedisAudit, Redis]) -> None:
    """By the address they come from, of which only so many are told apart."""
    audit, _ = kept
    for number in range(5000):
        audit.note(deed(caller="", outcome="unauthorized", origin=f"10.0.0.{number % 250}"))
    await audit.write()

    found = [each for _, each in await audit.read(None)]

    assert module.MOST_STRANGERS + 1 == len(found)
    assert 5000 == sum(each.count for each in found)


async def test_what_the_ledger_cannot_take_waits_and_what_is_lost_is_counted(
    monkeypatch: pytest.MonkeyPatch, valkey_url: str
) -> None:
    """The newest of it; nobody who notes ever waits."""
    monkeypatch.setattr(module, "MOST_HELD", 50)
    lines: list[bytes] = []
    port = find_free_port("127.0.0.1")
    async with keep(f"redis://127.0.0.1:{port}/0", write_lines=lines.extend) as (audit, _):
        for number in range(60):
            audit.note(deed(number))
        await audit.write()
        assert 10 == audit.lost

        async with keep(valkey_url) as (other, client):
            await client.delete("audited:audit")
            audit._trips, audit._ledger = other._trips, other._ledger
            await audit.write()
            found = [each.caller for _, each in await audit.read(None)]
            await client.delete("audited:audit", "audited:identity")

    assert [f"key:{n}" for n in reversed(range(50))] == found
    assert [f"key:{n}" for n in range(50)] == [msgspec.json.decode(each)["caller"] for each in lines]


async def test_it_writes_by_itself(kept: tuple[RedisAudit, Redis]) -> None:
    """Within a moment."""
    audit, _ = kept
    running = asyncio.create_task(audit.run())
    audit.note(deed())

    async with asyncio.timeout(5):
        while not await audit.read(None):  # a round trip is a wait
            pass
    running.cancel()
