"""Everything killed at random, workers too: what became of every launch, with the worker kit, without it, and with Celery alone.

The short form is in the suite, with the kit; `make chaos` runs the rest: CHAOS_WORKER_KILLS and CHAOS_WORKER_LAUNCHES say how
long. Workers acknowledge late, which is the best that Celery has against a death.
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

import pytest
from msgspec import Struct

from tests.faults.checker import find_doubled, read_events, show
from tests.faults.client import Call, find_answers, launch_all
from tests.faults.journal import read_journal
from tests.faults.plain import PlainClient
from tests.faults.proxy import FaultProxy
from tests.faults.schedule import IS_LONG, SEED, WIRE, fire
from tests.faults.test_frozen_consumer import count_redeliveries
from tests.faults.world import World, wait_until_at_rest

KILLS = int(os.environ.get("CHAOS_WORKER_KILLS", "3"))
LAUNCHES = int(os.environ.get("CHAOS_WORKER_LAUNCHES", "600"))
VISIBILITY_S = "15" if IS_LONG else "3"
WORKER = {"FAULTS_LATE": "1", "FAULTS_VISIBILITY_S": VISIBILITY_S}
KIT = {"FAULTS_KIT": json.dumps({"lease_s": 2, "wait_s": 20})}
ONCE_EVERY, SLOW_EVERY = 5, 20

only_at_length = pytest.mark.skipif(not IS_LONG, reason="only at length")
pytestmark = pytest.mark.timeout(180 + KILLS * 10 + LAUNCHES / 20)


class Counts(Struct, frozen=True, kw_only=True):
    """What a run that has come to rest shows; sets hold task ids."""

    answered: frozenset[str]
    lost: frozenset[str]
    """Answered, and neither run to the end nor said to be unknown."""
    unknown: frozenset[str]
    """Said to have an end that nobody can know."""
    begun_again: Counter[str]
    """How often tasks were started once more."""
    doubled: frozenset[str]
    """Started once more while the worker that had started them was alive."""


def make_body(number: int) -> dict[str, Any]:
    """Launches whose keys are their numbers; some run at most once, and some for a while."""
    params = {"number": number, "seconds": 0.01 if number % SLOW_EVERY == 0 else 0.0}
    return {"task_type": "faults.once" if number % ONCE_EVERY == 0 else "faults.note", "params": params}


def find_once(answers: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Find the tasks that run at most once."""
    return frozenset(task_id for key, task_id in answers if int(key) % ONCE_EVERY == 0)


def count(world: World, answers: list[tuple[str, str]]) -> Counts:
    """Count what became of what was answered."""
    events = read_events(world.runs.read_text().splitlines())
    answered = frozenset(task_id for _, task_id in answers)
    ended = {event.task_id for event in events if event.word == "end"}
    starts = Counter(event.task_id for event in events if event.word == "start")
    with world.connect() as client:
        unknown = {
            task_id
            for task_id in answered - ended
            if json.loads(client.get(f"gateway:end:{task_id}") or b"{}").get("status") == "UNKNOWN"
        }
    return Counts(
        answered=answered,
        lost=answered - ended - unknown,
        unknown=frozenset(unknown),
        begun_again=Counter({task_id: starts[task_id] - 1 for task_id in starts if starts[task_id] > 1}),
        doubled=find_doubled(events, deaths=world.deaths),
    )


def report(title: str, world: World, counts: Counts, killed: Counter[str], **more: int) -> None:
    """Print the counts of a run."""
    shown = {
        "answered": len(counts.answered),
        "lost": len(counts.lost),
        "unknown": len(counts.unknown),
        "begun again": counts.begun_again.total(),
        "while their worker lived": len(counts.doubled),
    } | more
    print(f"\n{title}: killed {show(killed)}, {world.worker_exits} workers ended by themselves; {show(shown)}")


def read_redeliveries(world: World, task_ids: Iterable[str]) -> Counter[str]:
    """Read in the ledger how often tasks were sent again."""
    ids = list(task_ids)
    with world.connect() as client:
        runs = client.mget([f"gateway:run:{task_id}" for task_id in ids])
    told = {task_id: json.loads(run or b"{}").get("redeliveries", 0) for task_id, run in zip(ids, runs, strict=True)}
    return +Counter(told)


@pytest.mark.parametrize(
    ("env", "targets"),
    [
        pytest.param(KIT, ("gateway", "broker", "worker"), id="kit"),
        pytest.param(KIT, ("gateway", "broker", "worker", WIRE), id="kit-wire", marks=only_at_length),
        pytest.param({}, ("broker", "worker"), id="bare", marks=only_at_length),
    ],
)
def test_no_launch_is_lost(bare_world: World, env: dict[str, str], targets: tuple[str, ...]) -> None:
    """With the kit none runs twice but after a death, and none that runs at most once; without it each second run is known."""
    world = bare_world

    async def launch(first: int, share: int) -> list[Call]:
        return await launch_all(world.url, share, make_body=make_body, first=first, twin_every=20)

    with ExitStack() as stack:
        if WIRE in targets:
            world.wire = stack.enter_context(FaultProxy(world.broker_port, seed=SEED))
        world.start_gateway(GATEWAY_WORKERS_REFRESH_S="0.5", GATEWAY_VISIBILITY_TIMEOUT_S=VISIBILITY_S)
        world.start_worker(**WORKER, **env)
        calls, killed = asyncio.run(fire(world, *targets, launch=launch, launches=LAUNCHES, kills=KILLS))
        wait_until_at_rest(world, limit_s=60 + LAUNCHES / 50)
        metric = count_redeliveries(world)
        answers = find_answers(calls)
        counts = count(world, answers)
        again, journal = read_redeliveries(world, counts.answered), read_journal(world.folder, "faults")
    report(
        "kit" if env else "no kit", world, counts, killed,
        once_again=len(counts.begun_again.keys() & find_once(answers)),
        sent_again=again.total(), counted=metric, put_back=journal.restored.total(),
    )  # fmt: skip

    assert LAUNCHES // (KILLS + 1) * (KILLS + 1) == len(counts.answered) == len(dict(answers))
    assert frozenset() == counts.lost
    assert again == journal.resent
    assert Counter() == counts.begun_again - journal.resent - journal.restored
    assert metric == again.total() or "gateway" in killed
    if env:
        assert frozenset() == counts.doubled
        assert set() == counts.begun_again.keys() & find_once(answers)


@only_at_length
def test_celery_alone_under_the_same_kills(bare_world: World) -> None:
    """Counted, and held to nothing."""
    world = bare_world
    world.start_worker(**WORKER)
    with PlainClient.open(world.broker_url) as client:

        async def launch(first: int, share: int) -> list[Call]:
            return await client.launch({number: make_body(number) for number in range(first, first + share)})

        calls, killed = asyncio.run(fire(world, "broker", "worker", launch=launch, launches=LAUNCHES, kills=KILLS))
    wait_until_at_rest(world, limit_s=60 + LAUNCHES / 50)
    counts = count(world, find_answers(calls))
    report("Celery alone", world, counts, killed)

    assert len(counts.answered) == len(calls)
