"""The observer of one gateway process: what its listener hears, noted in the ledger.

What comes in: events of workers and tasks. What goes out: heartbeats, and when tasks were received and started. It never
holds up a request, and what it cannot note in time it forgets.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
from celery import Celery

from gateway.backends.observing.ear import Event
from gateway.backends.observing.heartbeats import Heartbeats
from gateway.backends.observing.listener import Listener
from gateway.backends.observing.questions import Questions
from gateway.backends.observing.roster import Roster
from gateway.backends.observing.words import read_run_event
from gateway.backends.redis.observations import RedisObservations, RunEvent
from gateway.errors import BackendError

RENEW_S: Final = 2.0
"""Pause between two renewals of the right to note events, while there are none."""
SAVE_S: Final = 5.0
"""Pause between two times that heartbeats are noted."""
AT_ONCE: Final = 500
BACKLOG: Final = 20_000
"""Events that wait to be noted; older ones are forgotten."""
TOLD: Final = 10_000
"""Revokes that a worker is told of when it starts."""
HELLO_S: Final = 0.5
"""A worker waits for a second in all."""
RECENT_S: Final = 15.0
RECENT: Final = 500
"""Revokes of the last moments that a worker is told again: it asks first, and listens a little later."""
MOST_STARTING: Final = 1000
"""Workers whose second word is waited for."""
_log = structlog.get_logger("gateway.observing")
TellWorker = Callable[[Sequence[str], str], Awaitable[None]]


class Observer:
    """Listens and notes, until it is closed."""

    def __init__(
        self,
        app: Celery,
        heartbeats: Heartbeats,
        roster: Roster,
        observations: RedisObservations,
        *,
        refresh_s: float,
        tell_worker: TellWorker,
    ) -> None:
        """`tell_worker` tells a worker, by its name, of revokes; all are asked what they do every `refresh_s`."""
        self._heartbeats = heartbeats
        self._observations = observations
        self._tell_worker = tell_worker
        questions = Questions(refresh_s=refresh_s)
        self._listener = Listener(app, roster, questions, hear=self._hear, find_revoked=self._find_revoked)
        self._events: deque[RunEvent] = deque(maxlen=BACKLOG)
        self._starting: set[str] = set()
        self._begun: deque[str] = deque(maxlen=100)
        self._saved_at = 0.0
        self._is_failing = False
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Observe until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._listener.start()
        is_recalled = False
        try:
            while True:
                try:
                    if not is_recalled:
                        self._heartbeats.recall(await self._observations.recall_heartbeats())
                        is_recalled = True
                    await self._note()
                    self._is_failing = False
                except BackendError as error:
                    self._fail(error)
                await self._wait()
        finally:
            self._listener.close()

    def join(self, timeout_s: float) -> None:
        """Wait for the listener to end."""
        self._listener.join(timeout_s)

    def _fail(self, error: BackendError) -> None:
        self._listener.wants_tasks = False
        if not self._is_failing:
            _log.warning("observing_failed", code=error.code, detail=str(error))
        self._is_failing = True

    async def _wait(self) -> None:
        """Wait for news, which are noted together with those that come meanwhile."""
        try:
            async with asyncio.timeout(RENEW_S):
                await self._news.wait()
                if self._is_failing:
                    await asyncio.sleep(RENEW_S)
        except TimeoutError:
            return
        self._news.clear()

    async def _note(self) -> None:
        """Note what was heard.

        Raises: LedgerUnavailableError.
        """
        while True:
            batch = [self._events.popleft() for _ in range(min(AT_ONCE, len(self._events)))]
            self._listener.wants_tasks = await self._observations.note_runs(batch)
            if len(batch) < AT_ONCE:
                break
        if time.monotonic() - self._saved_at > SAVE_S:
            self._saved_at = time.monotonic()
            if beats := self._heartbeats.take_unsaved():
                await self._observations.note_heartbeats(beats)
        while self._begun:
            await self._greet(self._begun.popleft())

    async def _greet(self, worker: str) -> None:
        """Tell a worker again what was revoked while it started, if it is this process that looks after that."""
        if not self._listener.wants_tasks:
            return
        if recent := await self._observations.list_revoked(count=RECENT, within_s=RECENT_S):
            await self._tell_worker(recent, worker)

    def _find_revoked(self) -> list[str]:
        """List what a worker that starts must know; called by the listener's thread."""
        if self._loop is None:
            return []
        asked = asyncio.run_coroutine_threadsafe(self._observations.list_revoked(count=TOLD), self._loop)
        return asked.result(HELLO_S)

    def _hear(self, event: Event, worker: str) -> None:
        """Take an event; called by the listener's thread."""
        # Its first word comes before a worker takes commands; the heartbeat after it finds it ready.
        if event["type"] == "worker-online" and len(self._starting) < MOST_STARTING:
            self._starting.add(worker)
        elif event["type"].startswith("worker-") and worker in self._starting:
            self._starting.discard(worker)
            self._begun.append(worker)
            self._wake()
        elif (run_event := read_run_event(event, worker)) is not None:
            self._events.append(run_event)
            self._wake()

    def _wake(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)
