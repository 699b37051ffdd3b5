"""One thread with one connection to the broker, that hears what workers say of themselves and asks what they do not say.

What comes in: events and answers. What goes out: what they say, into the roster and to whoever wants the events; questions,
one after the other, for none of which it waits; the answer to workers that start. It takes part in nothing else.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from celery import Celery

from gateway.backends.kombu.broker_calls import blame
from gateway.backends.observing.ear import Ear, Event
from gateway.backends.observing.questions import ARGUMENTS, Questions
from gateway.backends.observing.roster import Roster
from gateway.backends.observing.words import Tasks, read_answer, read_name, read_pulse, read_word

POLL_S: Final = 0.25
PUBLISH_S: Final = 0.5
"""Pause between two publications of the roster."""
SILENCE_S: Final = 10.0
"""After so much silence, in which pings did not even come back, the connection may be dead without knowing."""
RETRY_S: Final = 0.5
RETRY_MOST_S: Final = 5.0
MOST_PER_S: Final = 5000
"""So much is heard in a second; what comes beyond that waits at the broker, or is dropped by it."""
QUIET_S: Final = 60.0
"""Pause between two complaints about the same."""
_log = structlog.get_logger("gateway.observing")


class Listener:
    """Listens until it is closed, whatever becomes of the broker."""

    def __init__(
        self,
        app: Celery,
        roster: Roster,
        questions: Questions,
        *,
        hear: Callable[[Event, str], None],
        find_revoked: Callable[[], list[str]],
    ) -> None:
        """`hear` is called with each event and its worker; `find_revoked` tells what a worker that starts must know."""
        self.wants_tasks = False
        """True while somebody notes the events of tasks; they are many, and one process is enough."""
        self._app = app
        self._roster = roster
        self._questions = questions
        self._hear = hear
        self._find_revoked = find_revoked
        self._complained_at: dict[str, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening, within a second or so."""
        self._stopped.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the end, after `close`."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        pause_s = RETRY_S
        current: Ear | None = None
        while not self._stopped.is_set():
            try:
                # The new one listens before the old one stops, so that no hello is missed.
                fresh = Ear(self._app, hear=self._hear_safely, take_answer=self._take_answer, answer=self._answer)
                _release(current)
                current = fresh
                if pause_s > RETRY_S:
                    _log.info("events_heard_again")
                pause_s = RETRY_S
                self._listen(fresh)
            except Exception as error:  # noqa: BLE001 - Kombu raises whatever its transport does; listening outlives it
                self._roster.pause()
                if pause_s == RETRY_S:
                    _log.warning("events_unheard", cause=str(blame(error)))
                _release(current)
                current = None
                self._stopped.wait(pause_s)
                pause_s = min(2 * pause_s, RETRY_MOST_S)
        _release(current)

    def _listen(self, ear: Ear) -> None:
        """Hear until it has been silent for too long.

        Raises: whatever Kombu raises when the connection breaks.
        """
        self._roster.listen(time.time())
        self._questions.begin()
        turn = _Turn(time.monotonic())
        while not self._stopped.is_set() and turn.now - turn.heard_at < SILENCE_S:
            ear.attend_to_tasks(wanted=self.wants_tasks)
            self._ask(ear, silent_s=turn.now - turn.heard_at)
            is_heard = ear.drain(POLL_S)
            turn.note(time.monotonic(), is_heard=is_heard)
            if is_heard:
                self._roster.note_heard(time.time())
            if turn.is_publishing_due():
                self._roster.publish(time.time())
            if turn.is_flooded():
                self._complain("events_flooding", most_per_s=MOST_PER_S)
                self._stopped.wait(turn.left_s)

    def _ask(self, ear: Ear, *, silent_s: float) -> None:
        now = time.monotonic()
        if self._roster.is_asking_due(time.time()):
            self._questions.hurry(now)
        method = self._questions.choose(now, is_anybody_alive=self._roster.is_anybody_alive, silent_s=silent_s)
        if method is not None:
            ear.ask(method, ARGUMENTS.get(method, {}))

    def _hear_safely(self, body: object) -> None:
        for event in body if isinstance(body, list) else [body]:
            if isinstance(event, dict) and isinstance(event.get("type"), str):
                self._hear_one(event)

    def _hear_one(self, event: Event) -> None:
        worker = read_name(event.get("hostname"))
        if worker is None:
            self._complain("worker_unnameable", name=ascii(event.get("hostname"))[:80])
            return
        if event["type"].startswith("worker-"):
            now = time.time()
            self._roster.hear(worker, read_word(event), read_pulse(event, now=now), now=now)
        self._hear(event, worker)

    def _take_answer(self, method: str, body: object) -> None:
        for name, value in body.items() if isinstance(body, dict) else ():
            worker, answer = read_name(name), read_answer(method, value)
            if worker is not None:
                self._roster.take_answer(worker, method, answer, now=time.time())
            if isinstance(answer, Tasks):
                self._questions.weigh(method, answer.count)

    def _answer(self) -> Event | None:
        try:
            revoked = self._find_revoked()
        except Exception as error:  # noqa: BLE001 - a ledger that is away must not break the listening
            _log.warning("hello_unanswered", cause=type(error).__name__)
            return None
        return {"revoked": revoked, "clock": self._app.clock.forward()}

    def _complain(self, event: str, **fields: Any) -> None:
        """Log what anybody can cause again and again, and only now and then."""
        now = time.monotonic()
        if now - self._complained_at.get(event, -QUIET_S) >= QUIET_S:
            self._complained_at[event] = now
            _log.warning(event, **fields)


class _Turn:
    """What the turns of one connection have to do with time."""

    def __init__(self, now: float) -> None:
        self.now = self.heard_at = self._second_at = now
        self._published_at = 0.0
        self._count = 0

    def note(self, now: float, *, is_heard: bool) -> None:
        """Note a turn."""
        self.now = now
        if now - self._second_at >= 1.0:
            self._second_at, self._count = now, 0
        if is_heard:
            self.heard_at = now
            self._count += 1

    def is_publishing_due(self) -> bool:
        """Tell whether it is time to publish; it counts as done."""
        is_due = self.now - self._published_at >= PUBLISH_S
        self._published_at = self.now if is_due else self._published_at
        return is_due

    def is_flooded(self) -> bool:
        """Tell whether more was heard in this second than anybody should say."""
        return self._count >= MOST_PER_S

    @property
    def left_s(self) -> float:
        """What is left of this second."""
        return max(0.0, self._second_at + 1.0 - self.now)


def _release(ear: Ear | None) -> None:
    if ear is not None:
        ear.release()
