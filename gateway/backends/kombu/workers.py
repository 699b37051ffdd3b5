"""The Celery workers, watched from one background thread; a request only ever reads what it last saw."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from celery import Celery

from gateway.backends.kombu.broker_calls import blame, make_broker_calls
from gateway.backends.observing.heartbeats import Heartbeats
from gateway.ports import WorkersView, WorkerView

REPLY_S = 1.0
"""How long workers have to answer a ping; Celery's own default."""
LOOK_S = 7.0
"""What a look takes at most, when workers die while it asks them one thing after the other."""
IMPATIENT_S = 1.0
"""Pause between two looks while no worker is known."""
_log = structlog.get_logger("gateway.workers")


class CeleryWorkers:
    """Looks at the workers every `refresh_s`, and sends them revokes."""

    def __init__(
        self,
        app: Celery,
        *,
        queues: Callable[[], Iterable[str]],
        refresh_s: float,
        deadline_s: float,
        heartbeats: Heartbeats,
    ) -> None:
        """`queues` names the queues of the present catalog, whose depth is shown too."""
        self._app = app
        self._queues = queues
        self._refresh_s = refresh_s
        self._heartbeats = heartbeats
        self._silent: set[str] = set()
        """Workers that neither answer nor send heartbeats while they run a task."""
        self._calls = make_broker_calls(size=2, backlog=64, deadline_s=deadline_s, name="control")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="workers", daemon=True)
        self._view = WorkersView(workers={}, queues={}, as_of=None)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching; a look under way ends by itself within its deadline."""
        self._stopped.set()
        self._calls.close()

    def view(self) -> WorkersView:
        """Return the last look, from memory."""
        return self._view

    def find_lost_at(self, worker: str, *, started_at: datetime | None = None) -> datetime | None:
        """Tell since when a worker is gone, or the process of that name that began with a task at `started_at`."""
        if started_at is not None and (replaced_at := self._heartbeats.find_replaced_at(worker, started_at)):
            return replaced_at
        return self._heartbeats.find_lost_at(worker, now=time.time(), may_be_silent=worker in self._silent)

    async def revoke(self, task_ids: Sequence[str], *, terminate: bool, signal: str) -> None:
        """Broadcast a revoke.

        Raises: BrokerUnavailableError.
        """
        call = partial(self._app.control.revoke, list(task_ids), terminate=terminate, signal=signal)
        await self._calls.run(call)

    async def tell(self, task_ids: Sequence[str], worker: str) -> None:
        """Tell one worker of revokes.

        Raises: BrokerUnavailableError.
        """
        await self._calls.run(partial(self._app.control.revoke, list(task_ids), destination=[worker]))

    def _watch(self) -> None:
        failing = False
        while not self._stopped.is_set():
            try:
                self._view = self._look()
                failing = False
            except Exception as error:  # noqa: BLE001 - see below
                # Kombu raises whatever its transport does; the watch outlives them all and says so once.
                if not failing:
                    _log.warning("workers_unseen", cause=str(blame(error)))
                failing = True
            self._stopped.wait(self._refresh_s if self._view.workers else min(IMPATIENT_S, self._refresh_s))

    def _look(self) -> WorkersView:
        with self._app.connection_for_read() as connection:
            names = [name for reply in self._app.control.ping(timeout=REPLY_S, connection=connection) for name in reply]
            for name in names:
                self._heartbeats.see(name, now=time.time(), period_s=max(self._refresh_s, LOOK_S))
            ask = partial(self._ask, connection=connection, names=names)
            answers = {method: ask(method) for method in _METHODS} if names else {}
            workers = {name: _describe(name, answers) for name in sorted(names)}
            queues = {queue: _count(connection, queue) for queue in self._name_queues(workers)}
        self._silent |= {name for name, worker in workers.items() if worker.stats.get("pool") == "solo"}
        return WorkersView(workers=workers, queues=queues, as_of=datetime.now(UTC))

    def _ask(self, method: str, *, connection: Any, names: list[str]) -> dict[str, Any]:
        inspect = self._app.control.inspect(destination=names, timeout=REPLY_S, connection=connection, limit=len(names))
        return getattr(inspect, method)() or {}

    def _name_queues(self, workers: dict[str, WorkerView]) -> list[str]:
        consumed = {queue for worker in workers.values() for queue in worker.queues}
        return sorted(consumed.union(self._queues()))


_METHODS = ("active", "reserved", "scheduled", "registered", "active_queues", "stats")


def _count(connection: Any, queue: str) -> int:
    try:
        with connection.channel() as channel:
            return int(channel.queue_declare(queue=queue, passive=True).message_count)
    except connection.channel_errors:
        return 0  # not declared yet: nothing waits in it


def _describe(name: str, answers: dict[str, dict[str, Any]]) -> WorkerView:
    stats = answers["stats"].get(name) or {}
    pool = stats.get("pool") or {}
    return WorkerView(
        active=tuple(_show_task(task) for task in answers["active"].get(name) or ()),
        reserved=tuple(_show_task(task) for task in answers["reserved"].get(name) or ()),
        scheduled=tuple(
            {**_show_task(item.get("request") or {}), "eta": item.get("eta")}
            for item in answers["scheduled"].get(name) or ()
        ),
        registered=tuple(sorted(str(task).split(" ")[0] for task in answers["registered"].get(name) or ())),
        queues=tuple(sorted(str(queue["name"]) for queue in answers["active_queues"].get(name) or ())),
        concurrency=pool.get("max-concurrency"),
        stats={
            "pid": stats.get("pid"),
            "uptime_s": stats.get("uptime"),
            "processed": stats.get("total") or {},
            "prefetch": stats.get("prefetch_count"),
            "pool": str(pool.get("implementation", "")).rpartition(":")[0].rpartition(".")[2] or None,
        },
    )


def _show_task(task: dict[str, Any]) -> dict[str, Any]:
    """Keep of a worker's report what names the task: its arguments may hold secrets."""
    started = task.get("time_start")
    return {
        "task_id": task.get("id"),
        "name": task.get("name"),
        "started_at": datetime.fromtimestamp(started, UTC) if started else None,
        "pid": task.get("worker_pid"),
    }
