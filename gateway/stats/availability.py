"""Whether the workers that are online can run a task type, and if not why. Pure.

What comes in: the view of the workers. What goes out: a word and a reason. Whoever cannot know says so: nothing is refused on
a guess.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from gateway.ports import Fleet, WorkersView, muster

STALE_AFTER = timedelta(seconds=10)
"""A broker that passed nothing on for so long cannot be asked: it is pinged every few seconds."""
SHOWN = 3
Word = Literal["available", "no_worker", "no_consumer", "unknown"]


class Availability(Struct, frozen=True, kw_only=True):
    """What is known of one task type."""

    word: Word
    """`available`; `no_worker`: nobody registers its name; `no_consumer`: nobody consumes its queue; `unknown`."""
    reason: str | None = None


AVAILABLE = Availability(word="available")


def is_stale(view: WorkersView, *, now: datetime) -> bool:
    """Tell whether the broker cannot be asked at this moment."""
    return not view.is_heard or view.as_of is None or now - view.as_of > STALE_AFTER


def find_fleet(view: WorkersView) -> Fleet:
    """Return the workers that are online, added up."""
    return muster(view.workers.items()) if view.fleet is None else view.fleet


def explain_ignorance(view: WorkersView, *, now: datetime) -> str | None:
    """Say why nothing is known of the workers; None when something is."""
    if view.as_of is None:
        return "the workers have not been heard yet"
    return "the broker cannot be asked" if is_stale(view, now=now) else None


def judge_availability(view: WorkersView, *, name: str, queue: str, now: datetime) -> Availability:
    """Judge whether a task of a Celery name, in a queue, would be run."""
    ignorance = explain_ignorance(view, now=now)
    if ignorance is not None:
        return Availability(word="unknown", reason=ignorance)
    fleet = find_fleet(view)
    if name in fleet.queues.get(queue, ()):
        return AVAILABLE
    if fleet.untold:
        return Availability(word="unknown", reason="a worker has not said yet what it runs")
    if not fleet.count:
        return Availability(word="no_worker", reason="no worker is online")
    if name not in fleet.names:
        return Availability(word="no_worker", reason=f"no live worker registers {name}")
    if queue not in fleet.queues:
        return Availability(word="no_consumer", reason=f"no live worker consumes the queue {queue}")
    return Availability(word="no_worker", reason=f"no live worker of the queue {queue} registers {name}")


def list_some(names: Sequence[str]) -> str:
    """Name the first of some, and count the rest."""
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
