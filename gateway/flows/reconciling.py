"""The reconciler: finds the tasks whose messages were lost with a worker, and sends them again, or says how they ended.

What comes in: the open tasks that have left their queue and are in nobody's hands. What goes out: messages under the same
task ids, and ends. One gateway at a time does it; one that slept past its lease does nothing. A sweep is bounded, and searches
queues only for what it is about to send again.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import structlog
from msgspec import Struct

from gateway.errors import BackendError
from gateway.flows.looking import Look, look
from gateway.flows.services import Services
from gateway.launch.launch import Launch, restore
from gateway.ports import Deliveries, End, Index, Missing, MissingSlice, Window
from gateway.status.interpreting import find_worker
from gateway.status.vanishing import Absence, conclude_lost, is_lost, is_run, leaves_trace

EVERY_S: Final = 1.0
SLICE: Final = 500
SLICES: Final = 10
"""Slices of one sweep: a hundred thousand tasks in some twenty seconds, of each of which Redis works thirty milliseconds."""
AT_ONCE: Final = 100
"""Missing tasks that one sweep looks at more closely."""
MOST_WATCHED: Final = 20_000
SAMPLE: Final = 50
"""Launches of a task type that are looked at to learn whether its runs leave traces."""
LEARNED_S: Final = 30.0
PAUSES_S: Final = (1.0, 60.0)
"""A task that could be lost by now, but is not, is looked at again after a while that doubles from the first to the second."""
_log = structlog.get_logger("gateway.reconciling")


class _Watched(Struct):
    """One task that is missing."""

    missing: Missing
    since: datetime
    since_s: float
    crew: frozenset[str]
    due_s: float
    """When it is looked at again; as `since_s` by a clock that nobody sets."""
    pause_s: float = PAUSES_S[0]


class Reconciler:
    """Looks after the messages of one broker."""

    def __init__(
        self,
        deliveries: Deliveries,
        services: Services,
        *,
        answer_period_s: float,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`answer_period_s` is how often the workers are asked what they run."""
        self._answer_period_s = answer_period_s
        self._clock_s = clock_s
        self._deliveries = deliveries
        self._services = services
        self._after = ""
        self._watched: dict[str, _Watched] = {}
        self._exact: frozenset[str] = frozenset()
        self._learned: dict[str, tuple[float, bool]] = {}
        self._is_failing = False

    async def run(self) -> None:
        """Reconcile until cancelled."""
        while True:
            await self._try()
            await asyncio.sleep(EVERY_S)

    async def _try(self) -> None:
        """Sweep once; an outage is logged once."""
        try:
            await self.sweep()
        except BackendError as error:
            if not self._is_failing:
                _log.warning("reconciling_failed", code=error.code, detail=str(error))
            self._is_failing = True
        except Exception:  # noqa: BLE001 - a bug that one task meets must not leave all others lost for good
            _log.exception("reconciling_broken")
        else:
            self._is_failing = False

    async def sweep(self) -> None:
        """Look for missing tasks, and do something about those that are lost.

        Raises: BackendError.
        """
        for _ in range(SLICES):
            found = await self._deliveries.find_missing(self._after, count=SLICE)
            if found is None:
                self._after = ""
                self._watched.clear()
                return
            self._exact = found.exact
            self._watch(found)
            self._after = found.following
            if not self._after:
                break
        await self._attend()

    def _watch(self, found: MissingSlice) -> None:
        now, now_s = self._services.clock(), self._clock_s()
        crew = found.known | self._services.workers.view().workers.keys()
        for each in found.missing:
            if each.task_id not in self._watched and len(self._watched) < MOST_WATCHED:
                self._watched[each.task_id] = _Watched(each, now, now_s, crew, now_s + PAUSES_S[0])

    async def _attend(self) -> None:
        """Look at the missing tasks whose turn it is."""
        now_s = self._clock_s()
        due = [task_id for task_id, watched in self._watched.items() if watched.due_s <= now_s][:AT_ONCE]
        still = {each.task_id: each for each in await self._deliveries.look_again(due)}
        for task_id in due:
            if task_id not in still:
                del self._watched[task_id]
        lost: list[Absence] = []
        for looked in await look(list(still), self._services):
            if looked is None:
                continue
            task_id = looked.remembered.entry.task_id
            watched = self._watched[task_id]
            watched.missing = still[task_id]
            is_overdue = now_s - watched.since_s >= looked.remembered.entry.reconcile_after_s
            watched.due_s = now_s + watched.pause_s
            if is_overdue:
                watched.pause_s = min(2 * watched.pause_s, PAUSES_S[1])
                absence = await self._describe(looked, watched)
                if is_lost(absence):
                    lost.append(absence)
        if lost:
            await self._remedy(lost)

    async def _describe(self, looked: Look, watched: _Watched) -> Absence:
        services, run = self._services, looked.remembered.run
        worker = find_worker(looked.remembered, looked.record)
        started_at = run.started_at if run is not None else None
        if is_run(looked.remembered, looked.status):
            names, began_at = frozenset({worker} if worker else ()), started_at
        else:
            names, began_at = watched.crew, watched.since
        lost = frozenset(each for each in names if services.workers.find_lost_at(each, started_at=began_at))
        return Absence(
            missing=watched.missing,
            remembered=looked.remembered,
            status=looked.status,
            since=watched.since,
            missing_s=self._clock_s() - watched.since_s,
            now=services.clock(),
            view=services.workers.view(),
            crew=watched.crew,
            lost_workers=lost,
            worker=worker,
            exact=self._exact,
            answer_period_s=self._answer_period_s,
            leaves_traces=await self._learn(looked.remembered.entry.task_type),
        )

    async def _learn(self, task_type: str) -> bool:
        """Learn from others of its type whether a run leaves a trace, at the least its end."""
        learned = self._learned.get(task_type)
        if learned is not None and self._clock_s() - learned[0] < LEARNED_S:
            return learned[1]
        index = Index(kind="type", name=task_type)
        [places] = await self._services.history.walk([index], before="", count=SAMPLE, window=Window())
        rows = await self._services.ledger.find([each.task_id for each in places])
        does = any(row is not None and row.end is not None and leaves_trace(row.end) for row in rows)
        self._learned[task_type] = (self._clock_s(), does)
        return does

    async def _remedy(self, lost: Sequence[Absence]) -> None:
        """Search for what seems lost, and do what is to be done about what is."""
        queues = {each.missing.task_id: each.remembered.entry.queue for each in lost}
        found = await self._deliveries.search(queues)
        for absence in lost:
            task_id = absence.missing.task_id
            if task_id in found:
                continue
            launch, end = restore(absence.remembered.entry), conclude_lost(absence)
            if end is not None:
                is_done = await self._deliveries.conclude(launch, end)
            else:
                is_done = await self._deliveries.redeliver(launch, retries=absence.missing.retries)
            if is_done:
                self._count(launch, end)
                _tell(absence, "task_redelivered" if end is None else "task_given_up")
                self._watched.pop(task_id, None)

    def _count(self, launch: Launch, end: End | None) -> None:
        tally = self._services.tally
        if end is None:
            tally.note_redelivery()
            return
        tally.note_given_up()
        tally.note_end(launch.task_type, end.status, queued_s=None, run_s=None)


def _tell(absence: Absence, event: str) -> None:
    entry, run = absence.remembered.entry, absence.remembered.run
    _log.warning(
        event,
        task_id=entry.task_id,
        task_type=entry.task_type,
        delivery=entry.delivery,
        worker=absence.worker,
        redeliveries=run.redeliveries if run else 0,
    )
