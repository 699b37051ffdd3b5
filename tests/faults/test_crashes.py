"""Gateway and broker killed at random while clients launch: every answered launch is in the ledger and runs, once.

The short form is in the suite; `make chaos` runs the long one: CHAOS_KILLS and CHAOS_LAUNCHES say how long.
"""

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.faults.checker import Verdict, judge, read_starts, show
from tests.faults.client import Call, find_answers, find_looks, look_at
from tests.faults.journal import Journal, read_journal
from tests.faults.schedule import KILLS, LAUNCHES, launch_under_fire
from tests.faults.world import World, wait_until_quiet

pytestmark = pytest.mark.timeout(60 + LAUNCHES / 5)


def make_body(number: int) -> dict[str, Any]:
    """A launch whose key is its number."""
    return {"task_type": "faults.note", "params": {"number": number}}


def read_verdict(world: World, calls: list[Call]) -> Verdict:
    """Judge a run that has come to rest."""
    with world.connect() as client:
        ledger = frozenset(key.decode().removeprefix("gateway:task:") for key in client.scan_iter("gateway:task:*"))
    starts = read_starts(world.runs.read_text().splitlines())
    return judge(find_answers(calls), ledger=ledger, starts=starts, looks=find_looks(calls))


def report(title: str, verdict: Verdict, journal: Journal, calls: list[Call], killed: Counter[str]) -> None:
    """Print the counts of a run."""
    statuses = Counter(
        call.code or ("broken" if call.status is None else "looked at" if call.shown else "accepted") for call in calls
    )
    counts = {
        "answered": verdict.answered,
        "runs": verdict.runs,
        "phantoms": len(verdict.phantoms),
        "lost in a worker's hand": len(verdict.never_ran & journal.taken),
        "put back by a worker and run twice": len(verdict.ran_twice & journal.restored.keys()),
    }
    print(f"\n{title}: killed {show(killed)}; {show(counts)}; calls: {show(statuses)}")


def check(verdict: Verdict, journal: Journal) -> None:
    """Hold a run to what is promised up to the broker; what a worker lost or doubled is told apart."""
    assert LAUNCHES // (KILLS + 1) * (KILLS + 1) == verdict.answered
    assert frozenset() == verdict.not_in_ledger
    assert frozenset() == verdict.phantoms
    assert frozenset() == verdict.keys_with_two_tasks
    assert frozenset() == verdict.moved_back
    assert {1} == set(journal.pushed.values())
    assert frozenset() == verdict.never_ran - journal.taken
    assert frozenset() == verdict.ran_twice - journal.restored.keys()


@pytest.mark.parametrize(
    "targets", [("gateway", "broker"), ("gateway", "broker", "worker")], ids=["workers alive", "workers killed too"]
)
def test_no_answered_launch_is_lost_or_doubled(world: World, targets: tuple[str, ...]) -> None:
    """With an append-only file that is synced at every write."""
    calls, killed = asyncio.run(launch_under_fire(world, *targets, make_body=make_body))
    wait_until_quiet(world, limit_s=60)
    calls += asyncio.run(look_at(world.url, dict.fromkeys(task_id for _, task_id in find_answers(calls))))
    verdict = read_verdict(world, calls)
    journal = read_journal(world.folder, "faults")
    report(f"{', '.join(targets)}, {world.worker_exits} workers ended by themselves", verdict, journal, calls, killed)

    check(verdict, journal)
