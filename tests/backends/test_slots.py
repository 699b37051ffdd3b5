"""Concurrency limits in a real Redis: never more holders than the limit, never a place that stays taken."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from gateway.backends.memory import MemoryBackend
from gateway.backends.redis.connection import connect
from gateway.backends.redis.ledger import RedisLedger
from gateway.backends.redis.message import Lanes
from gateway.backends.redis.publisher import RedisPublisher
from gateway.backends.redis.results import RedisResults
from gateway.backends.redis.trips import SharedTrips
from gateway.catalog.catalog import Catalog
from gateway.catalog.deployment import Deployment
from gateway.catalog.view import see_all
from gateway.errors import ConcurrencyLimitError
from gateway.flows.launching import Accepted, Key, launch
from gateway.launch.prepare import Wish
from gateway.loading import compile_sources
from tests.services import make_services

LIMIT = 2
POLICIES = ("reject", "join_existing", "replace")
TASKS = "version: 1\ntasks:\n" + "".join(
    f"  {policy}:\n"
    "    parameters: {company: {type: string}}\n"
    f"    concurrency: {{key: [company], limit: {LIMIT}, on_conflict: {policy}}}\n"
    for policy in POLICIES
)
PREFIX = "slots:"
DEADLINE_S = 30
"""What is counted is places, not seconds: a crowd takes long on a busy machine."""


@cache
def compile_tasks() -> Catalog:
    """Compile a task type for each policy."""
    return compile_sources({"tasks.yaml": TASKS.encode()}, Deployment())


async def launch_on(url: str, *wishes: Wish) -> list[Accepted | BaseException]:
    """Launch wishes at once, over a connection of their own."""
    client = connect(url, deadline_s=DEADLINE_S)
    services = make_services(
        MemoryBackend(),
        publisher=RedisPublisher(client, prefix=PREFIX, lanes=Lanes(), origin="t", deadline_s=DEADLINE_S),
        ledger=RedisLedger(SharedTrips(client, deadline_s=DEADLINE_S), prefix=PREFIX, deadline_s=DEADLINE_S),
        results=RedisResults(
            SharedTrips(client, deadline_s=DEADLINE_S), key_prefix="", deadline_s=DEADLINE_S, max_bytes=4096
        ),
        deadline_s=DEADLINE_S,
    )
    catalog = compile_tasks()
    launching = (launch(wish, see_all(catalog), services, prefix="/p") for wish in wishes)
    outcomes = await asyncio.gather(*launching, return_exceptions=True)
    await client.aclose()
    return outcomes


def end(client: redis.Redis, task_id: str, status: str) -> None:
    """Play the worker that ends a task."""
    client.set(f"celery-task-meta-{task_id}", json.dumps({"status": status, "result": None, "task_id": task_id}))


class Slots(RuleBasedStateMachine):
    """Launches and ends in any order, beside a model that holds the live tasks of each key, the oldest first."""

    url = ""
    tasks: Bundle[tuple[str, str, str]] = Bundle("tasks")

    @initialize()
    def start(self) -> None:
        """Begin with nothing."""
        self.client = redis.Redis.from_url(self.url)
        self.client.flushdb()
        self.live: dict[tuple[str, str], list[str]] = {}

    def teardown(self) -> None:
        """Let the connection go."""
        self.client.close()

    @rule(target=tasks, policy=st.sampled_from(POLICIES), company=st.sampled_from("ab"))
    def launch(self, policy: str, company: str) -> Any:
        """A launch takes a free place, or does what its policy says."""
        holders = self.live.setdefault((policy, company), [])
        was_full = len(holders) >= LIMIT
        [outcome] = asyncio.run(launch_on(self.url, Wish(task_type=policy, params={"company": company})))

        if was_full and policy == "reject":
            assert isinstance(outcome, ConcurrencyLimitError)
            assert tuple(holders) == outcome.holders
            return multiple()
        assert isinstance(outcome, Accepted)
        receipt = outcome.receipt
        if was_full and policy == "join_existing":
            assert (holders[0], True) == (receipt.task_id, receipt.is_joined)
            return multiple()
        gone = holders[:1] if was_full else []
        assert tuple(gone) == receipt.replaced
        assert all(self.client.exists(f"{PREFIX}revoke:{each}") for each in gone)
        self.live[policy, company] = [*holders[len(gone) :], receipt.task_id]
        return policy, company, receipt.task_id

    @rule(task=tasks, status=st.sampled_from(["SUCCESS", "FAILURE", "REVOKED"]))
    def end(self, task: tuple[str, str, str], status: str) -> None:
        """A task that ended holds nothing, however it ended."""
        policy, company, task_id = task
        end(self.client, task_id, status)
        self._free(policy, company, task_id)

    @rule(task=tasks)
    def lose_the_worker(self, task: tuple[str, str, str]) -> None:
        """A task that will never end holds its place until its lease is over."""
        policy, company, task_id = task
        for key in self.client.scan_iter(f"{PREFIX}slot:{policy}:*"):
            self.client.zadd(key, {task_id: 1}, xx=True)
        self._free(policy, company, task_id)

    @invariant()
    def no_limit_is_passed(self) -> None:
        """Each key has at most as many live holders as its limit."""
        assert all(len(holders) <= LIMIT for holders in getattr(self, "live", {}).values())

    @invariant()
    def every_slot_expires(self) -> None:
        """Nothing stays in Redis for ever."""
        if hasattr(self, "client"):
            assert all(self.client.ttl(key) > 0 for key in self.client.scan_iter(f"{PREFIX}slot:*"))

    def _free(self, policy: str, company: str, task_id: str) -> None:
        self.live[policy, company] = [each for each in self.live[policy, company] if each != task_id]


def test_no_order_of_events_breaks_a_limit(valkey_url: str) -> None:
    """A model in step with Redis, over drawn histories."""
    Slots.url = f"{valkey_url[:-1]}9"
    Slots.TestCase.settings = settings(
        max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
    )
    Slots.TestCase().runTest()


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_crowd_gets_no_more_places_than_there_are(valkey_url: str, policy: str) -> None:
    """200 launches of one key at once, over four publishers."""
    url = f"{valkey_url[:-1]}10"
    client = connect(url, deadline_s=5)
    await client.flushdb()
    wishes = [Wish(task_type=policy, params={"company": "a"}) for _ in range(50)]

    outcomes = [each for part in await asyncio.gather(*(launch_on(url, *wishes) for _ in range(4))) for each in part]
    queued = await client.llen("celery")
    [slot] = [key async for key in client.scan_iter(f"{PREFIX}slot:*")]
    holders = await client.zcard(slot)
    revoked = len([key async for key in client.scan_iter(f"{PREFIX}revoke:*")])
    await client.aclose()

    launched = [each for each in outcomes if isinstance(each, Accepted) and not each.receipt.is_joined]
    joined = [each for each in outcomes if isinstance(each, Accepted) and each.receipt.is_joined]
    rejected = [each for each in outcomes if isinstance(each, ConcurrencyLimitError)]
    expected = {"reject": (2, 0, 198), "join_existing": (2, 198, 0), "replace": (200, 0, 0)}[policy]
    assert expected == (len(launched), len(joined), len(rejected))
    assert (LIMIT, LIMIT) == (queued, holders)
    assert revoked == (198 if policy == "replace" else 0)


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_that_jumps_moves_no_lease_and_no_key(valkey_url: str, hours: int) -> None:
    """What expires does so by Redis's clock, whatever the gateway's says."""
    client = connect(f"{valkey_url[:-1]}12", deadline_s=5)
    await client.flushdb()
    services = make_services(
        MemoryBackend(),
        publisher=RedisPublisher(client, prefix=PREFIX, lanes=Lanes(), origin="t", deadline_s=5),
        ledger=RedisLedger(SharedTrips(client, deadline_s=5), prefix=PREFIX, deadline_s=5),
        results=RedisResults(SharedTrips(client, deadline_s=5), key_prefix="", deadline_s=5, max_bytes=4096),
    )
    jumped = msgspec.structs.replace(services, clock=lambda: datetime.now(UTC) + timedelta(hours=hours))
    wish, key = Wish(task_type="reject", params={"company": "a"}), Key(key="k", caller="")

    for first, second in ((services, jumped), (jumped, services)):
        await client.flushdb()
        begun = await launch(wish, see_all(compile_tasks()), first, prefix="/p", key=key)
        replayed = await launch(wish, see_all(compile_tasks()), second, prefix="/p", key=key)
        await launch(wish, see_all(compile_tasks()), second, prefix="/p")
        with pytest.raises(ConcurrencyLimitError):
            await launch(wish, see_all(compile_tasks()), second, prefix="/p")
        leases = [await client.pttl(key) async for key in client.scan_iter(f"{PREFIX}slot:*")]
        kept_s = [await client.ttl(key) async for key in client.scan_iter(f"{PREFIX}key:*")]
        assert (begun.receipt, True) == (replayed.receipt, replayed.is_replay)
        assert leases == [pytest.approx(3_600_000, abs=10_000)]
        assert kept_s == [pytest.approx(86_400, abs=10)]
    await client.aclose()
