"""The history checker: from what clients were answered, what the ledger holds and what workers did, what went wrong. Pure.

After Jepsen's total-queue checker: clients log each call and answer, workers each start, on a log of their own.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import inf
from typing import NamedTuple

from msgspec import Struct

MISSING = "missing"
"""Said of a task that the gateway does not know."""
FINAL = frozenset({"SUCCESS", "FAILURE", "REVOKED", "UNKNOWN"})
RANKS = {MISSING: 0, "PENDING": 1, "RECEIVED": 2} | dict.fromkeys(FINAL, 4)
UNDER_WAY = 3
"""The rank of every other word, a task's own among them."""


class Event(NamedTuple):
    """A start or an end of a run, as a worker wrote it down."""

    word: str
    task_id: str
    number: str
    at: float
    worker: int
    """Which of the workers that were started: their number."""


class Verdict(Struct, frozen=True, kw_only=True):
    """What a history shows; each set holds task ids, except `keys_with_two_tasks`."""

    answered: int
    runs: int
    not_in_ledger: frozenset[str]
    """Answered, but the ledger does not know it."""
    never_ran: frozenset[str]
    """Answered, and no worker ever started it."""
    ran_twice: frozenset[str]
    phantoms: frozenset[str]
    """Run, though the ledger does not know it."""
    keys_with_two_tasks: frozenset[str]
    """Keys under which different tasks were answered, or ran."""
    moved_back: frozenset[str]
    """Shown with a status that cannot follow one that was shown before."""


def judge(
    answers: Iterable[tuple[str, str]],
    *,
    ledger: frozenset[str],
    starts: Iterable[tuple[str, str]],
    looks: Iterable[tuple[str, str]] = (),
) -> Verdict:
    """Judge a history.

    Shape: `answers` are (key, task id) of each accepted launch, replays included; `starts` are (key, task id) of each run;
        `looks` are (task id, status) of each answer about a task that was accepted, those about one task in order.
    """
    answers, starts = list(answers), list(starts)
    answered = {task_id for _, task_id in answers}
    runs = Counter(task_id for _, task_id in starts)
    by_key: dict[str, set[str]] = {}
    for key, task_id in [*answers, *starts]:
        by_key.setdefault(key, set()).add(task_id)
    return Verdict(
        answered=len(answered),
        runs=runs.total(),
        not_in_ledger=frozenset(answered - ledger),
        never_ran=frozenset(answered - runs.keys()),
        ran_twice=frozenset(task_id for task_id, count in runs.items() if count > 1),
        phantoms=frozenset(runs.keys() - ledger),
        keys_with_two_tasks=frozenset(key for key, ids in by_key.items() if len(ids) > 1),
        moved_back=_find_moved_back(looks),
    )


def _find_moved_back(looks: Iterable[tuple[str, str]]) -> frozenset[str]:
    found: set[str] = set()
    last: dict[str, str] = {}
    for task_id, status in looks:
        before = last.get(task_id, "PENDING")
        if _is_back(before, status):
            found.add(task_id)
        last[task_id] = status
    return frozenset(found)


def _is_back(before: str, status: str) -> bool:
    """Tell whether a status cannot follow another; a retry begins anew, and what is final stays."""
    if before in FINAL:
        return status != before
    if before == "RETRY":
        return status == MISSING
    return RANKS.get(status, UNDER_WAY) < RANKS.get(before, UNDER_WAY)


def find_doubled(events: Iterable[Event], *, deaths: Mapping[int, float]) -> frozenset[str]:
    """Find the tasks that were started again while a worker that had started them was alive.

    Shape: `deaths` are by the worker's number; a worker that is not there lived to the end.
    """
    doubled: set[str] = set()
    starters: dict[str, set[int]] = {}
    for event in sorted((each for each in events if each.word == "start"), key=lambda each: each.at):
        earlier = starters.setdefault(event.task_id, set())
        if any(deaths.get(worker, inf) > event.at for worker in earlier):
            doubled.add(event.task_id)
        earlier.add(event.worker)
    return frozenset(doubled)


def read_events(lines: Iterable[str]) -> list[Event]:
    """Read the workers' log: `start <task id> <number> <seconds> <worker>`; the number is the key of its launch."""
    words = (line.split() for line in lines)
    return [Event(word, task_id, number, float(at), int(worker)) for word, task_id, number, at, worker in words]


def read_starts(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Read (key, task id) of each start."""
    return [(event.number, event.task_id) for event in read_events(lines) if event.word == "start"]


def show(counts: Mapping[str, int]) -> str:
    """Write counts in a line."""
    return ", ".join(f"{name} {count}" for name, count in counts.items())
