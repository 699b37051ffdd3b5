"""One contract for every backend: memory, and a real Redis with ledger and broker in one or in two."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest
from redis.asyncio import Redis

from gateway.backends.memory import MemoryBackend, MemoryResults
from gateway.backends.outbox.publisher import OutboxPublisher
from gateway.backends.outbox.store import OutboxStore
from gateway.backends.redis.connection import connect
from gateway.backends.redis.ledger import RedisLedger
from gateway.backends.redis.message import Lanes
from gateway.backends.redis.publisher import RedisPublisher
from gateway.backends.redis.results import RedisResults
from gateway.backends.redis.sender import RedisSender
from gateway.backends.redis.trips import SharedTrips
from gateway.config.rates import Rate
from gateway.launch.idempotency import KEEP_S, Claim, make_claim
from gateway.launch.launch import Launch, Lineage, record, write_receipt
from gateway.launch.offer import PUBLISHED, Held, Known, Limited, Offer, Outcome, Published, QueueFull, Withheld
from gateway.launch.quota import Quota
from gateway.launch.slot import Slot
from gateway.launch.withdrawal import Withdrawal
from gateway.metrics.cells import Cells
from gateway.metrics.meter import Meter
from gateway.ports import End, Found, Ledger, Publisher, Remembered, Results, Revocation, TaskError
from gateway.status.record import UNREADABLE, read_found
from tests.backends.test_message import make_launch

THEN = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


class Backends:
    """One way to keep the ports."""

    def __init__(self, publisher: Publisher, ledger: Ledger, results: Results, client: Redis | None) -> None:
        self.publisher, self.ledger, self.results, self.client = publisher, ledger, results, client

    async def recall(self, task_id: str) -> Remembered | None:
        """Ask the ledger for one task."""
        [remembered] = await self.ledger.find([task_id])
        return remembered

    async def offer(self, *launches: Launch, all_or_nothing: bool = False) -> list[Outcome]:
        """Publish launches."""
        return await self.publisher.publish([Offer(launch=each) for each in launches], all_or_nothing=all_or_nothing)


@pytest.fixture(params=["memory", "one redis", "two redis"])
async def backends(request: pytest.FixtureRequest) -> AsyncIterator[Backends]:
    """Each way in turn, empty."""
    if request.param == "memory":
        memory = MemoryBackend()
        yield Backends(memory, memory, MemoryResults(memory), None)
        return
    url = f"{request.getfixturevalue('valkey_url')[:-1]}4"
    client = connect(url, deadline_s=2)
    await client.flushdb()
    publisher: Publisher
    if request.param == "one redis":
        publisher = RedisPublisher(client, prefix="gw:", lanes=Lanes(), origin="t", deadline_s=2)
    else:
        sender = RedisSender(client, lanes=Lanes(), origin="t", deadline_s=2)
        store = OutboxStore(client, prefix="gw:", deadline_s=2)
        publisher = OutboxPublisher(store, sender, limit=100, tally=Meter(Cells()), find_depth=lambda _: None)
    ledger = RedisLedger(SharedTrips(client, deadline_s=2), prefix="gw:", deadline_s=2)
    yield Backends(
        publisher,
        ledger,
        RedisResults(SharedTrips(client, deadline_s=2), key_prefix="", deadline_s=2, max_bytes=4096),
        client,
    )
    await client.aclose()


async def test_what_is_published_is_remembered(backends: Backends) -> None:
    """With all that a status or a retry needs."""
    launch = make_launch(
        params={"a": 1, "s": "x"},
        secret_names=frozenset({"s"}),
        expires_at=THEN,
        lineage=Lineage(retry_of="b", root_id="a", attempt=2),
    )

    await backends.offer(launch)
    remembered = await backends.recall(launch.task_id)

    assert remembered is not None
    assert record(launch) == remembered.entry
    assert (("s",), {"a": 1}) == (remembered.entry.secrets, remembered.entry.params)
    assert remembered.revocation is None


async def test_what_was_never_published_is_not_known(backends: Backends) -> None:
    """None, rather than a guess."""
    assert await backends.recall("01890000-0000-7000-8000-00000000000f") is None
    assert [None] == await backends.results.find(["01890000-0000-7000-8000-00000000000f"])


async def test_the_first_end_stands(backends: Backends) -> None:
    """A task ends once; nothing is noted of one that was never launched."""
    launch = make_launch()
    await backends.offer(launch)
    end = End(status="FAILURE", finished_at=THEN, worker="w", error=TaskError(type="E", message="m"))

    is_first = [
        await backends.ledger.settle(launch.task_id, end),
        await backends.ledger.settle(launch.task_id, End(status="SUCCESS")),
        await backends.ledger.settle("01890000-0000-7000-8000-00000000000f", end),
    ]
    remembered = await backends.recall(launch.task_id)

    assert [True, False, False] == is_first
    assert remembered is not None
    assert end == remembered.end
    assert await backends.recall("01890000-0000-7000-8000-00000000000f") is None


async def test_the_retries_of_a_task_are_a_chain(backends: Backends) -> None:
    """In the order of their launches, seen from the root."""
    root = make_launch()
    ids = [f"01890000-0000-7000-8000-00000000001{number}" for number in range(3)]
    lineage = Lineage(retry_of=root.task_id, root_id=root.task_id, attempt=2)

    await backends.offer(root)
    for each in ids:
        await backends.offer(make_launch(task_id=each, lineage=lineage))
    [remembered, last] = await backends.ledger.find([root.task_id, ids[-1]])

    assert remembered is not None
    assert last is not None
    assert (tuple(ids), ()) == (remembered.chain, last.chain)


async def test_the_first_revoke_stands_until_one_terminates(backends: Backends) -> None:
    """A second click does not move `requested_at`."""
    launch = make_launch()
    await backends.offer(launch)
    first = Revocation(requested_at=THEN)
    later = Revocation(requested_at=datetime(2026, 11, 25, tzinfo=UTC))
    harder = Revocation(requested_at=datetime(2026, 11, 26, tzinfo=UTC), terminate=True, signal="SIGTERM")

    seen = []
    for wish in (first, later, harder):
        await backends.ledger.record_revocations([launch.task_id], wish)
        remembered = await backends.recall(launch.task_id)
        seen.append(remembered and remembered.revocation)

    assert [first, first, harder] == seen


async def test_what_waits_is_taken_back(backends: Backends) -> None:
    """Whatever its priority, once; then it is certain that it does not run, and a later wish changes nothing."""
    launches = [make_launch(task_id=each, priority=number) for number, each in enumerate(OTHER_IDS[:4])]
    await backends.offer(*launches)
    wanted = [Withdrawal(task_id=each.task_id, queue=each.queue, is_started=False) for each in launches[:3]]
    wish = Revocation(requested_at=THEN)
    await backends.ledger.record_revocations([wanted[0].task_id], wish)

    taken = await backends.publisher.withdraw(wanted, wish)
    again = await backends.publisher.withdraw(wanted, wish)
    await backends.ledger.record_revocations([wanted[0].task_id], Revocation(requested_at=THEN, terminate=True))
    revocations = [
        each and each.revocation for each in await backends.ledger.find([launch.task_id for launch in launches])
    ]

    assert (dict.fromkeys(OTHER_IDS[:3], "confirmed"), {}) == (taken, again)
    assert all(each and each.confirmed_at and each.withdrawn_at for each in revocations[:3])
    assert [False] * 3 == [each and each.terminate for each in revocations[:3]]
    assert revocations[3] is None
    if backends.client is not None:
        lists = Lanes().list_all(launches[0].queue)
        assert [0, 1, 0, 0] == [await backends.client.llen(each) for each in lists]
        assert [] == await backends.client.zrange("gw:revoked", 0, -1)


async def test_a_claimed_key_launches_once(backends: Backends) -> None:
    """The second launch under it leaves nothing behind, and gets what is kept of the first."""
    first, second = make_launch(), make_launch(task_id="01890000-0000-7000-8000-000000000001")
    claims = [claim_for(launch) for launch in (first, second)]

    outcomes = [
        *await backends.publisher.publish([Offer(launch=first, claims=(claims[0],))]),
        *await backends.publisher.publish([Offer(launch=second, claims=(claims[1],))]),
        *await backends.offer(second),
    ]

    assert [PUBLISHED, Known(remembrance=claims[0].encode()), PUBLISHED] == outcomes
    assert await backends.recall(first.task_id) is not None
    if backends.client is not None:
        assert 2 == await backends.client.llen("compared")
        assert 0 < await backends.client.ttl(f"gw:key:{claims[0].key_digest}") <= KEEP_S


def claim_for(launch: Launch) -> Claim:
    """Claim one key for any launch."""
    receipt = write_receipt(launch, prefix="/p")
    return make_claim(launch, receipt, key="k", caller="", options={}, identity=b"i" * 32)


async def test_the_identity_never_changes(backends: Backends) -> None:
    """Every id ever given depends on it."""
    identity = await backends.ledger.identity()

    assert identity
    assert identity == await backends.ledger.identity()


async def test_every_redis_key_expires_but_the_identity_and_the_totals(backends: Backends) -> None:
    """Lists of messages are the workers' to empty."""
    if backends.client is None:
        return
    lineage = Lineage(retry_of="01890000-0000-7000-8000-00000000000f", root_id="root", attempt=2)
    launch = make_launch(lineage=lineage, batch_id="b")
    await backends.offer(launch)
    await backends.ledger.record_revocations([launch.task_id], Revocation(requested_at=THEN))
    await backends.ledger.settle(launch.task_id, End(status="FAILURE"))
    await backends.ledger.identity()
    waiting = make_launch(task_id=OTHER_IDS[0])
    await backends.offer(waiting)
    await backends.ledger.record_revocations([waiting.task_id], Revocation(requested_at=THEN))

    keys = sorted([key async for key in backends.client.scan_iter("gw:*")])
    expiries = {key.decode(): await backends.client.ttl(key) for key in keys}

    assert [-1, -1] == [expiries.pop("gw:identity"), expiries.pop("gw:totals")]
    assert {
        *(f"gw:{kind}:{launch.task_id}" for kind in ("task", "revoke", "end")),
        f"gw:task:{waiting.task_id}", f"gw:revoke:{waiting.task_id}", "gw:revoked", "gw:open",
        "gw:chain:root", "gw:ended:FAILURE", "gw:history", f"gw:history:type:{launch.task_type}", "gw:history:batch:b",
    } == expiries.keys()  # fmt: skip
    assert all(0 < seconds <= 60 for seconds in expiries.values())


async def test_a_result_is_passed_on_untouched(backends: Backends) -> None:
    """Reading it is somebody else's business."""
    if backends.client is None:
        return
    raw = json.dumps({"status": "SUCCESS"}).encode()
    await backends.client.set("celery-task-meta-x", raw)
    await backends.client.hset("celery-task-meta-y", "not", "a string")
    await backends.client.set("celery-task-meta-z", b"a" * 4096 + b"b")

    whole, garbled, unheard, large = await backends.results.find(["x", "y", "none", "z"])
    [brief] = await backends.results.find(["x"], max_bytes=4)

    assert (Found(head=raw, size=len(raw)), None) == (whole, unheard)
    assert Found(head=raw[:4], tail=raw, size=len(raw)) == brief
    assert garbled is not None
    assert UNREADABLE == read_found(garbled)
    assert large is not None
    assert (b"a" * 4096, b"a" * 4095 + b"b", 4097) == (large.head, large.tail, large.size)
    assert b"a" * 4096 + b"b" == await backends.results.load("z")
    assert await backends.results.load("none") is None


SLOT = Slot(name="a.b:x", limit=1, on_conflict="reject", lease_s=60)
OTHER_IDS = [f"01890000-0000-7000-8000-{number:012x}" for number in range(1, 9)]


async def test_a_slot_is_held_until_its_holder_is_said_to_have_ended(backends: Backends) -> None:
    """The launch that finds it held leaves nothing behind."""
    first, second, third = (make_launch(task_id=task_id, slot=SLOT) for task_id in OTHER_IDS[:3])

    outcomes = await backends.offer(first) + await backends.offer(second)
    freed = await backends.publisher.publish([Offer(launch=third, finished=(first.task_id,))])

    assert [PUBLISHED, Held(holders=(first.task_id,)), PUBLISHED] == outcomes + freed
    assert await backends.recall(second.task_id) is None


async def test_replacing_revokes_the_oldest_holder(backends: Backends) -> None:
    """In the same step; only once its end has been asked for."""
    slot = msgspec.structs.replace(SLOT, on_conflict="replace")
    first, second = (make_launch(task_id=task_id, slot=slot) for task_id in OTHER_IDS[:2])

    outcomes = await backends.offer(first) + await backends.offer(second)
    replaced = await backends.publisher.publish([Offer(launch=second, may_replace=True)])
    remembered = await backends.recall(first.task_id)

    assert [PUBLISHED, Held(holders=(first.task_id,)), Published(replaced=(first.task_id,))] == outcomes + replaced
    assert remembered is not None
    assert Revocation(requested_at=second.launched_at, terminate=True, signal="SIGTERM") == remembered.revocation


async def test_all_or_nothing_leaves_nothing(backends: Backends) -> None:
    """When the second of three finds no place, the other two are withheld."""
    launches = [
        make_launch(task_id=OTHER_IDS[0], slot=SLOT),
        make_launch(task_id=OTHER_IDS[1], slot=SLOT),
        make_launch(task_id=OTHER_IDS[2]),
    ]

    outcomes = await backends.offer(*launches, all_or_nothing=True)

    assert [Withheld, Held, Withheld] == [type(outcome) for outcome in outcomes]
    assert [None] * 3 == [await backends.recall(launch.task_id) for launch in launches]
    assert [PUBLISHED] == await backends.offer(launches[0])


async def test_a_key_that_is_free_can_be_kept_for_what_was_there_before(backends: Backends) -> None:
    """Once."""
    claims = [claim_for(make_launch(task_id=task_id)) for task_id in OTHER_IDS[:2]]

    assert await backends.ledger.keep(claims[0]) is None
    assert claims[0].encode() == await backends.ledger.keep(claims[1])


async def test_a_full_queue_takes_no_more(backends: Backends) -> None:
    """Counted over all priorities, those of the same batch included."""
    if isinstance(backends.publisher, OutboxPublisher):
        return  # there the depth comes from the view of the workers
    launches = [make_launch(task_id=each, max_queued=3, priority=index) for index, each in enumerate(OTHER_IDS[:6])]

    outcomes = await backends.offer(*launches[:2]) + await backends.offer(*launches[2:4])
    whole = await backends.offer(*launches[4:], all_or_nothing=True)

    assert [PUBLISHED, PUBLISHED, PUBLISHED, QueueFull(depth=3)] == outcomes
    assert [QueueFull(depth=3)] * 2 == whole


OVERALL = Quota(policy="caller", key="c:3600", rate=Rate(4, 3600))
OWN = Quota(policy="task-type", key="c:60:a.b", rate=Rate(2, 60))


def say(outcomes: list[Outcome]) -> list[object]:
    """Tell what became of launches: what is left of their quotas, or which of these refused."""
    said: list[object] = []
    for each in outcomes:
        if isinstance(each, Published):
            said.append([room.remaining for room in each.rooms])
        else:
            said.append(each.number if isinstance(each, Limited) else type(each))
    return said


async def test_a_quota_that_is_used_up_takes_no_more(backends: Backends) -> None:
    """Counted by launch, also those of one batch; the quota that is longest without room is named, and when it has some."""
    launches = [make_launch(task_id=each, quotas=(OVERALL, OWN)) for each in OTHER_IDS[:3]]
    others = [make_launch(task_id=each, quotas=(OVERALL,)) for each in OTHER_IDS[3:6]]

    outcomes = await backends.offer(*launches)
    more = await backends.offer(*others)
    last = await backends.offer(make_launch(task_id=OTHER_IDS[6], quotas=(OVERALL, OWN)))

    assert [[3, 1], [2, 0], 1] == say(outcomes)
    assert [[1], [0], 0] == say(more)
    assert [0] == say(last)
    assert await backends.recall(launches[2].task_id) is None
    [limited] = outcomes[2:]
    assert isinstance(limited, Limited)
    assert 59_000 < limited.wait_ms <= 60_600
    assert [2, 0] == [room.remaining for room in limited.rooms]
    if backends.client is not None:
        assert 59 < await backends.client.ttl("gw:rate:c:60:a.b") <= 61
        assert 2 == sum(map(int, await backends.client.hvals("gw:rate:c:60:a.b")))


async def test_what_is_refused_uses_nothing_up(backends: Backends) -> None:
    """Neither a replay, nor a held slot, nor a batch that does not happen as a whole."""
    first = make_launch(task_id=OTHER_IDS[0], quotas=(OWN,), slot=SLOT)
    again, held, *both = (make_launch(task_id=each, quotas=(OWN,)) for each in OTHER_IDS[1:5])
    held = msgspec.structs.replace(held, slot=SLOT)

    await backends.publisher.publish([Offer(launch=first, claims=(claim_for(first),))])
    replayed = await backends.publisher.publish([Offer(launch=again, claims=(claim_for(first),))])
    refused = await backends.offer(held)
    whole = await backends.offer(*both, all_or_nothing=True)
    left = await backends.offer(both[0])

    assert [Known] == say(replayed)
    assert [Held] == say(refused)
    assert [Withheld, 0] == say(whole)
    assert [[0]] == say(left)


async def test_a_batch_that_no_period_has_room_for_waits_a_whole_one(backends: Backends) -> None:
    """It can never happen, and nothing of it does."""
    launches = [make_launch(task_id=each, quotas=(OWN,)) for each in OTHER_IDS[:3]]

    outcomes = await backends.offer(*launches, all_or_nothing=True)

    assert [Withheld, Withheld, 0] == say(outcomes)
    assert [[1]] == say(await backends.offer(launches[0]))
