"""The workers as this process knows them: from what it hears, and from what they answer in the background.

What comes in: heartbeats and answers, from the thread that listens. What goes out: a view for any other thread, published as
a whole and never changed. However many names are heard of, few are kept.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, Final

from msgspec import Struct, field

from gateway.backends.observing.heartbeats import Heartbeats, Word
from gateway.backends.observing.questions import DESCRIBING
from gateway.backends.observing.words import Pulse, Tasks
from gateway.ports import Fleet, WorkersView, WorkerView, muster

MOST_KNOWN: Final = 1000
"""Workers that have answered at least once."""
MOST_STRANGERS: Final = 200
"""Workers that were only heard of: anybody may send a heartbeat under any name."""
MOST_LOST: Final = 100
LOST_KEPT_S: Final = 600.0
"""So long a worker that is gone is told of."""
STRANGE_S: Final = 4.0
"""So long somebody new has to say what it is before it is shown without that."""
TRIES_S: Final = (0.5, 1.5, 3.5, 7.5)
"""When somebody new is asked, after it was first heard of: at first it does not take commands yet."""
SILENT_MOST_S: Final = 3600.0
"""A worker with the solo pool says nothing while it works; after Celery's own visibility timeout it is gone all the same."""
SETTLE_S: Final = 1.5
"""Who is there has said so after this time: pings are answered within a second."""
SILENT_POOL: Final = "solo"
_NOBODY = Fleet()


class _Entry(Struct):
    """One worker."""

    first_at: float
    """When it was first heard of, or came back."""
    heard_at: float
    pid: int | None = None
    pulse: Pulse = Pulse()
    answers: dict[str, Any] = field(default_factory=dict)
    tries: int = 0
    lost_at: datetime | None = None
    """When it was last heard of, once it is gone."""
    gone_at: float = 0.0
    """When that was found out."""
    view: WorkerView | None = None
    """What is shown of it; None when that has to be written anew."""

    @property
    def is_described(self) -> bool:
        return self.answers.keys() >= set(DESCRIBING)


class Roster:
    """Written by the thread that listens, read by any other; moments are seconds since 1970, by our own clock."""

    def __init__(self, heartbeats: Heartbeats, *, answer_period_s: float) -> None:
        """`answer_period_s` is the pause between two questions to everybody."""
        self.view = WorkersView(workers={}, queues={}, as_of=None, is_heard=False, fleet=_NOBODY)
        self.queues: dict[str, int] = {}
        """What is shown of queues and launches; each is replaced as a whole, by whoever counts them."""
        self.oldest: dict[str, datetime] = {}
        self.totals: dict[str, dict[str, int]] = {}
        self.is_anybody_alive = False
        self._heartbeats = heartbeats
        self._answer_period_s = answer_period_s
        self._known: dict[str, _Entry] = {}
        self._strangers: OrderedDict[str, _Entry] = OrderedDict()
        self._fleet = _NOBODY
        self._is_fleet_old = False
        self._began_at: float | None = None
        self._heard_at: float | None = None

    def listen(self, now: float) -> None:
        """Begin to hear, or hear again."""
        self._began_at = self._began_at or now
        self._heartbeats.listen(now)

    def pause(self) -> None:
        """Hear nothing for a while; what is known stays, and is said to be old."""
        self._heartbeats.pause()
        self.publish(None)

    def note_heard(self, now: float) -> None:
        """Note that the broker passed something on."""
        self._heard_at = now

    def hear(self, worker: str, word: Word, pulse: Pulse, *, now: float) -> None:
        """Note what a worker says of itself."""
        self._heartbeats.hear(worker, word, now=now)
        entry = self._known.get(worker) or self._welcome(worker, now)
        is_other = word.pid is not None and entry.pid is not None and word.pid != entry.pid
        self._note_alive(entry, now, is_other=is_other)
        entry.pid = word.pid if word.pid is not None else entry.pid
        entry.pulse = pulse
        if word.kind == "worker-offline":
            self._lose(entry, datetime.fromtimestamp(now, UTC), now)

    def take_answer(self, worker: str, method: str, answer: Any, *, now: float) -> None:
        """Note what a worker answered; None for no more than that it did."""
        self._heartbeats.see(worker, now=now, period_s=self._answer_period_s)
        entry = self._known.get(worker) or self._get_to_know(worker, now)
        if entry is None:
            return
        self._note_alive(entry, now, is_other=False)
        if answer is None:
            return
        self._is_fleet_old |= method in DESCRIBING and entry.answers.get(method) != answer
        entry.answers[method] = answer
        if method == "stats":
            entry.pid = entry.pid if entry.pid is not None else answer["pid"]

    def is_asking_due(self, now: float) -> bool:
        """Tell whether somebody new is to be asked what it is; it counts as asked."""
        due = [
            entry
            for entry in self._list_entries()
            if not entry.is_described and entry.tries < len(TRIES_S) and now - entry.first_at >= TRIES_S[entry.tries]
        ]
        for entry in due:
            entry.tries += 1
        return bool(due)

    def may_be_silent(self, worker: str, now: float) -> bool:
        """Tell whether a worker says nothing while it works."""
        entry = self._known.get(worker)
        return entry is not None and _find_pool(entry) == SILENT_POOL and now - entry.heard_at < SILENT_MOST_S

    def publish(self, now: float | None) -> None:
        """Publish what is known; without a moment, that nothing is heard any more."""
        if now is not None:
            self._judge(now)
            self._forget(now)
        named = sorted(self._list_named(), key=itemgetter(0))
        if self._is_fleet_old:
            self._is_fleet_old = False
            self._fleet = muster((name, _look_at(entry)) for name, entry in named)
        self.view = WorkersView(
            workers={name: _look_at(entry) for name, entry in named if _is_presentable(entry, now)},
            queues=self.queues,
            oldest=self.oldest,
            totals=self.totals,
            as_of=self._find_moment(now),
            is_heard=now is not None,
            fleet=self._fleet,
        )

    def _find_moment(self, now: float | None) -> datetime | None:
        began_at, heard_at = self._began_at, self._heard_at
        if began_at is None or heard_at is None:
            return None
        is_settled = now is not None and now - began_at >= SETTLE_S
        return datetime.fromtimestamp(heard_at, UTC) if is_settled or self.view.as_of is not None else None

    def _list_named(self) -> Iterator[tuple[str, _Entry]]:
        yield from self._known.items()
        yield from self._strangers.items()

    def _list_entries(self) -> Iterator[_Entry]:
        yield from self._known.values()
        yield from self._strangers.values()

    def _welcome(self, worker: str, now: float) -> _Entry:
        """Return the entry of a stranger, which stands last from now on."""
        entry = self._strangers.get(worker)
        if entry is None:
            entry = self._strangers[worker] = _Entry(first_at=now, heard_at=now)
            self._is_fleet_old = True
        self._strangers.move_to_end(worker)
        if len(self._strangers) > MOST_STRANGERS:
            self._strangers.popitem(last=False)
        return entry

    def _get_to_know(self, worker: str, now: float) -> _Entry | None:
        """Return the entry of one that answered; None when there are too many, all of them alive."""
        if len(self._known) >= MOST_KNOWN:
            lost = [name for name, entry in self._known.items() if entry.lost_at is not None]
            if not lost:
                return None
            del self._known[min(lost, key=lambda name: self._known[name].heard_at)]
        entry = self._strangers.get(worker)
        if entry is None:
            entry = _Entry(first_at=now, heard_at=now)
        else:
            del self._strangers[worker]
        self._known[worker] = entry
        return entry

    def _note_alive(self, entry: _Entry, now: float, *, is_other: bool) -> None:
        """Note that a worker lives; what another process of its name said, or it before it was lost, no longer holds."""
        if is_other or entry.lost_at is not None:
            entry.answers, entry.first_at, entry.tries, entry.lost_at = {}, now, 0, None
            entry.pid = None
            self._is_fleet_old = True
        entry.heard_at = now
        entry.view = None

    def _lose(self, entry: _Entry, lost_at: datetime, now: float) -> None:
        entry.lost_at, entry.gone_at, entry.view = lost_at, now, None
        self._is_fleet_old = True

    def _judge(self, now: float) -> None:
        """Find out who is gone."""
        is_anybody_alive = False
        for name, entry in self._list_named():
            if entry.lost_at is None:
                is_silent = self.may_be_silent(name, now)
                lost_at = self._heartbeats.find_lost_at(name, now=now, may_be_silent=is_silent)
                if lost_at is not None:
                    self._lose(entry, lost_at, now)
            is_anybody_alive |= entry.lost_at is None
        self.is_anybody_alive = is_anybody_alive

    def _forget(self, now: float) -> None:
        """Forget those that are gone for long, and all but the last of the others."""
        for name in [name for name, entry in self._strangers.items() if entry.lost_at is not None]:
            del self._strangers[name]
        lost = {name: entry.gone_at for name, entry in self._known.items() if entry.lost_at is not None}
        newest = sorted(lost, key=lost.__getitem__, reverse=True)[:MOST_LOST]
        for name in lost.keys() - {name for name in newest if now - lost[name] <= LOST_KEPT_S}:
            del self._known[name]


def _is_presentable(entry: _Entry, now: float | None) -> bool:
    return bool(entry.answers) or now is None or now - entry.first_at >= STRANGE_S


def _look_at(entry: _Entry) -> WorkerView:
    if entry.view is None:
        entry.view = _show(entry)
    return entry.view


def _show(entry: _Entry) -> WorkerView:
    answers, pulse, is_online = entry.answers, entry.pulse, entry.lost_at is None
    stats: Mapping[str, Any] = answers.get("stats", {})
    active, reserved, scheduled = (answers.get(each, _NO_TASKS) for each in ("active", "reserved", "scheduled"))
    if not is_online:  # nobody does what it did
        active = reserved = scheduled = _NO_TASKS
    return WorkerView(
        online=is_online,
        active=active.shown,
        reserved=reserved.shown,
        scheduled=scheduled.shown,
        active_count=pulse.active_count if is_online and pulse.active_count is not None else active.count,
        reserved_count=reserved.count,
        scheduled_count=scheduled.count,
        processed_count=pulse.processed_count,
        registered=answers.get("registered", ()),
        queues=answers.get("active_queues", ()),
        is_described=entry.is_described,
        concurrency=stats.get("concurrency"),
        stats={name: value for name, value in stats.items() if name != "concurrency"},
        software=pulse.software,
        clock=pulse.clock,
        load=pulse.load,
        skew_s=pulse.skew_s,
        heard_at=datetime.fromtimestamp(entry.heard_at, UTC),
        lost_at=entry.lost_at,
    )


_NO_TASKS: Final = Tasks((), 0)


def _find_pool(entry: _Entry) -> str | None:
    stats: dict[str, Any] = entry.answers.get("stats", {})
    pool: str | None = stats.get("pool")
    return pool
