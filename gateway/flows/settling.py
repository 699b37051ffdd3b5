"""The settler: learns how every task ended, also where nobody asks, before the result backend forgets it.

What comes in: the tasks whose end nobody has seen, slice by slice. What goes out: their ends, and the starts of those that
run. One gateway at a time does it; one that slept past its lease writes nothing. It must never hold up anybody else: a slice
is bounded, and so is the time in which all slices get their turn.
"""

import asyncio
import math
from collections.abc import Sequence
from itertools import cycle
from typing import Final

import structlog

from gateway.errors import BackendError
from gateway.flows.ending import count_end
from gateway.flows.looking import AT_ONCE, Look, look
from gateway.flows.services import Services
from gateway.ports import OpenTasks
from gateway.status.interpreting import Witness, conclude, find_worker, interpret, is_final
from gateway.status.lifecycle import FINAL, is_underway
from gateway.status.status import TaskStatus

EVERY_S: Final = 1.0
ROUND_S: Final = 300.0
"""Within so long every open task is looked at, however many there are."""
SLICE: Final = 1000
TRIM_EVERY: Final = 10
"""Slices between two looks for tasks that ended and have expired since."""
_log = structlog.get_logger("gateway.settling")


class Settler:
    """Settles the open tasks of one ledger."""

    def __init__(self, open_tasks: OpenTasks, services: Services) -> None:
        self._open_tasks = open_tasks
        self._services = services
        self._after = ""
        self._to_trim = cycle(sorted(FINAL - {"SUCCESS"}))
        self._trimmed_to = dict.fromkeys(FINAL, "")
        self._slices = 0
        self._is_failing = False

    async def run(self) -> None:
        """Settle until cancelled."""
        while True:
            pause_s = await self._try()
            await asyncio.sleep(pause_s)

    async def _try(self) -> float:
        """Settle a slice; return how long to rest. An outage is logged once."""
        try:
            pause_s = await self.settle()
        except BackendError as error:
            if not self._is_failing:
                _log.warning("settling_failed", code=error.code, detail=str(error))
            self._is_failing = True
            return EVERY_S
        except Exception:  # noqa: BLE001 - a bug that one slice meets must not leave all others unsettled for good
            _log.exception("settling_broken")
            return EVERY_S
        if self._is_failing:
            _log.info("settling_resumed")
        self._is_failing = False
        return pause_s

    async def settle(self) -> float:
        """Settle the next slice of the open tasks; return how many seconds to rest before the one after it.

        Raises: BackendError.
        """
        taken = await self._open_tasks.take(self._after, count=SLICE)
        if taken is None:
            self._after = ""
            return EVERY_S
        self._after = taken.following
        count = 0
        for at in range(0, len(taken.task_ids), AT_ONCE):
            count += await self._settle(taken.task_ids[at : at + AT_ONCE])
        await self._count_ended()
        self._slices += 1
        if self._slices % TRIM_EVERY == 0:
            await self._trim(next(self._to_trim))
        if count > SLICE // 4:  # where so many ended, more have
            return 0.0
        return min(EVERY_S, ROUND_S / math.ceil(max(1, taken.size) / SLICE))

    async def _settle(self, task_ids: Sequence[str]) -> int:
        """Write down what has become of some tasks; return how many have ended."""
        looks = [each for each in await look(task_ids, self._services) if each is not None]
        ended = {each.remembered.entry.task_id: end for each in looks if (end := self._conclude(each)) is not None}
        ends = {task_id: conclude(status) for task_id, status in ended.items()}
        started = {
            each.remembered.entry.task_id: find_worker(each.remembered, each.record)
            for each in looks
            if is_underway(each.status) and not _is_noted(each)
        }
        first = await self._open_tasks.settle(ends, started=started) if ends or started else ()
        for task_id in first:
            count_end(ended[task_id], self._services.tally)
        if first:
            _log.debug("settled", count=len(first))
        return len(ends)

    async def _count_ended(self) -> None:
        """Count the ends that workers wrote down themselves."""
        for looked in await look(await self._open_tasks.take_ended(count=SLICE), self._services):
            if looked is not None and (status := self._conclude(looked)) is not None:
                count_end(status, self._services.tally)

    def _conclude(self, looked: Look) -> TaskStatus | None:
        if looked.status not in FINAL:
            return None
        status = interpret(looked.remembered, looked.record, Witness(now=self._services.clock()))
        return status if is_final(status) else None

    async def _trim(self, status: str) -> None:
        taken = await self._open_tasks.trim(status, self._trimmed_to[status], count=SLICE)
        self._trimmed_to[status] = "" if taken is None else taken.following


def _is_noted(looked: Look) -> bool:
    run = looked.remembered.run
    return run is not None and (run.is_started or run.started_at is not None)
