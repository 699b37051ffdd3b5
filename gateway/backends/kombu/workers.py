"""The Celery workers, as ports see them: what the observer knows of them, and the revokes that they are sent."""

import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from celery import Celery

from gateway.backends.kombu.broker_calls import make_broker_calls
from gateway.backends.observing.heartbeats import Heartbeats
from gateway.backends.observing.roster import Roster
from gateway.ports import WorkersView


class CeleryWorkers:
    """Reads what is known from memory, and sends revokes in threads of its own."""

    def __init__(self, app: Celery, *, heartbeats: Heartbeats, roster: Roster, deadline_s: float) -> None:
        self._app = app
        self._heartbeats = heartbeats
        self._roster = roster
        self._calls = make_broker_calls(size=2, backlog=64, deadline_s=deadline_s, name="control")

    def close(self) -> None:
        """Give up the revokes that have not begun."""
        self._calls.close()

    def view(self) -> WorkersView:
        """Return what is known, from memory."""
        return self._roster.view

    def find_lost_at(self, worker: str, *, started_at: datetime | None = None) -> datetime | None:
        """Tell since when a worker is gone, or the process of that name that began with a task at `started_at`."""
        if started_at is not None and (replaced_at := self._heartbeats.find_replaced_at(worker, started_at)):
            return replaced_at
        now = time.time()
        may_be_silent = self._roster.may_be_silent(worker, now)
        return self._heartbeats.find_lost_at(worker, now=now, may_be_silent=may_be_silent)

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
