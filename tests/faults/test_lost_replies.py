"""Replies of the broker that never arrive (row F7): a launch that may have happened is never made into two.

CHAOS_LAUNCHES says how many launches.
"""

import asyncio
import json
from collections import Counter

import pytest
import redis

from tests.faults.client import find_answers, launch_all
from tests.faults.proxy import proxied
from tests.faults.schedule import LAUNCHES
from tests.faults.test_crashes import make_body
from tests.faults.world import World
from tests.harness import wait_for

COUNT = LAUNCHES // 2
EVERY = 5

pytestmark = pytest.mark.timeout(60 + LAUNCHES / 20)


def read_queued(world: World) -> Counter[str]:
    """Count the messages of each task."""
    with world.connect() as client:
        return Counter(json.loads(raw)["headers"]["id"] for raw in client.lrange("faults", 0, -1))


def read_rows(client: redis.Redis) -> set[str]:
    """Return the ids of all ledger rows."""
    return {key.decode().removeprefix("gateway:task:") for key in client.scan_iter("gateway:task:*", count=1000)}


def test_a_lost_reply_makes_no_second_task(bare_world: World) -> None:
    """Where ledger and broker are one Redis: under its key each launch is one row and one message."""
    with proxied(bare_world.broker_url) as (url, proxy):
        bare_world.start_gateway(GATEWAY_BROKER_URL=url)
        proxy.drop_replies(b"EVAL", every=EVERY)
        calls = asyncio.run(launch_all(bare_world.url, COUNT, make_body=make_body))
    answers = dict(find_answers(calls))
    first = {call.key: call for call in reversed(calls)}
    uncertain = [call for call in first.values() if call.code == "uncertain_publish"]
    queued = read_queued(bare_world)
    with bare_world.connect() as client:
        rows = read_rows(client)
    print(f"\n{proxy.dropped} replies of the one Redis dropped; {len(uncertain)} uncertain of {len(calls)} calls")

    assert COUNT == len(answers) == len(set(answers.values()))
    assert set(answers.values()) == rows == queued.keys()
    assert {1} == set(queued.values())
    assert proxy.dropped > 0
    assert [answers[call.key] for call in uncertain if call.task_id in rows] == [
        call.task_id for call in uncertain if call.task_id in rows
    ]  # one that is in no row never reached Redis, which is uncertain as well


def test_a_lost_confirm_is_swept_under_the_same_id(bare_world: World, valkey_url: str) -> None:
    """Where the ledger is elsewhere: nothing is lost, no key has two tasks, and what is sent twice is no more than was lost."""
    ledger_url = f"{valkey_url[:-1]}14"
    with proxied(bare_world.broker_url) as (url, proxy), redis.Redis.from_url(ledger_url) as ledger:
        ledger.flushdb()
        bare_world.start_gateway(GATEWAY_BROKER_URL=url, GATEWAY_REDIS_URL=ledger_url, GATEWAY_DEADLINE_S="1.0")
        proxy.drop_replies(b"LPUSH", every=10 * EVERY)
        calls = asyncio.run(launch_all(bare_world.url, COUNT, make_body=make_body))
        wait_for("an empty outbox", lambda: not ledger.zcard("gateway:outbox"), limit_s=20 + COUNT / 20)
        rows = read_rows(ledger)
    answers = find_answers(calls)
    queued = read_queued(bare_world)
    doubled = sum(count - 1 for count in queued.values())
    print(f"\n{proxy.dropped} confirms of the other Redis dropped; {doubled} messages sent twice of {COUNT}")

    assert COUNT == len(answers) == len(dict(answers)) == len(set(dict(answers).values()))
    assert set(dict(answers).values()) == rows == queued.keys()
    assert 0 < doubled <= proxy.dropped
