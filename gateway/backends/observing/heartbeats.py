"""Which workers are alive, by their heartbeats.

What comes in: what was heard of whom, by this process's own clock, as those of workers may differ. What goes out: since when
a worker is gone. Silence counts only as long as somebody listened.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

PERIOD_S: Final = 2.0
"""Celery's own pause between two heartbeats."""
MISSED: Final = 5
"""So many heartbeats a worker may miss."""
LEAST_S: Final = 5.0
"""And at least so long it may be silent."""
UNHEARD_S: Final = 30.0
"""So long somebody must have listened before a worker that was never heard of is gone."""
LATE_S: Final = 5.0
"""An answer that comes so soon after a goodbye was given before it."""
MOST: Final = 10_000
"""Workers that are remembered."""


class Word(Struct, frozen=True, kw_only=True):
    """One thing that a worker says of itself."""

    kind: str
    period_s: float = PERIOD_S
    pid: int | None = None
    at: float = 0.0
    """When it was said, by the worker's own clock."""


class _Beat(Struct):
    at: float
    """When it was last heard of, in seconds since 1970."""
    period_s: float = PERIOD_S
    pid: int | None = None
    has_left: bool = False
    """True when it said so itself."""
    begun_at: float | None = None
    """When its present process began, by its own clock, if there was one of that name before."""
    lost_at: float = 0.0
    """When the process before was last heard of."""


class Heartbeats:
    """The last heartbeat of each worker; written by the thread that listens, read by any other."""

    def __init__(self) -> None:
        self._beats: dict[str, _Beat] = {}
        self._since: float | None = None
        self._unsaved: set[str] = set()

    def listen(self, now: float) -> None:
        """Begin to listen, or go on."""
        self._since = self._since or now

    def pause(self) -> None:
        """Hear nothing for a while: the silence is one's own."""
        self._since = None

    def recall(self, beats: Mapping[str, float]) -> None:
        """Remember what was heard before this process began."""
        for worker, at in beats.items():
            self._beats.setdefault(worker, _Beat(at))

    def hear(self, worker: str, word: Word, *, now: float) -> None:
        """Note a word of a worker."""
        before = self._beats.pop(worker, None)
        beat = _Beat(now, word.period_s, word.pid, word.kind == "worker-offline")
        if before is not None:
            is_new = word.kind == "worker-online" and before.pid != word.pid
            beat.begun_at, beat.lost_at = (word.at, before.at) if is_new else (before.begun_at, before.lost_at)
        self._beats[worker] = beat  # the last one heard of stands last
        self._unsaved.add(worker)
        if len(self._beats) > MOST:
            del self._beats[next(iter(self._beats))]

    def see(self, worker: str, *, now: float, period_s: float) -> None:
        """Note that a worker answered when it was asked, which may be all that is ever heard of it."""
        beat = self._beats.get(worker)
        if beat is None:
            self.hear(worker, Word(kind="pong", period_s=period_s), now=now)
        else:
            beat.has_left &= now - beat.at < LATE_S
            beat.at = now
            self._unsaved.add(worker)

    def find_lost_at(self, worker: str, *, now: float, may_be_silent: bool) -> datetime | None:
        """Tell since when a worker is gone; `may_be_silent` for one that says nothing while it works."""
        beat, since = self._beats.get(worker), self._since
        if beat is not None and beat.has_left:
            return datetime.fromtimestamp(beat.at, UTC)
        if since is None or may_be_silent:
            return None
        if beat is None:
            return datetime.fromtimestamp(since, UTC) if now - since > UNHEARD_S else None
        is_lost = now - max(beat.at, since) > max(MISSED * beat.period_s, LEAST_S)
        return datetime.fromtimestamp(beat.at, UTC) if is_lost else None

    def find_replaced_at(self, worker: str, started_at: datetime) -> datetime | None:
        """Tell when the process was last heard of that began with a task, if another one has its name now."""
        beat = self._beats.get(worker)
        if beat is None or beat.begun_at is None or started_at.timestamp() >= beat.begun_at:
            return None
        return datetime.fromtimestamp(beat.lost_at, UTC)

    def take_unsaved(self) -> dict[str, float]:
        """Return when those were last heard of that have been since the last call."""
        taken, self._unsaved = self._unsaved, set()
        return {worker: beat.at for worker in taken if (beat := self._beats.get(worker)) is not None}
