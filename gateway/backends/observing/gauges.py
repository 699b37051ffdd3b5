"""What is counted again and again in the background: how much waits in each queue, since when, and the ledger's totals.

What comes in: the queues of the catalog and of the workers. What goes out: figures for the roster's view. It never holds up a
request; what cannot be counted stays as it was, and the log says so once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

import structlog

from gateway.backends.depths import Depths
from gateway.backends.observing.roster import Roster
from gateway.errors import BackendError

MOST_QUEUES: Final = 1000
_log = structlog.get_logger("gateway.observing")


class Totals(Protocol):
    """Counts launches and ends."""

    async def read_totals(self) -> dict[str, dict[str, int]]:
        """Return for each task type how many were launched, and how many ended in each status.

        Raises: LedgerUnavailableError.
        """


class Gauges:
    """Counts every `refresh_s`, until it is cancelled."""

    def __init__(
        self,
        roster: Roster,
        depths: Depths,
        totals: Totals,
        *,
        name_queues: Callable[[], Iterable[str]],
        refresh_s: float,
    ) -> None:
        """`name_queues` names the queues of the present catalog."""
        self._roster = roster
        self._depths = depths
        self._totals = totals
        self._name_queues = name_queues
        self._refresh_s = refresh_s
        self._failing: set[str] = set()

    async def run(self) -> None:
        """Count until cancelled."""
        while True:
            await self._try("queues", self._count_waiting)
            await self._try("totals", self._count_totals)
            await asyncio.sleep(self._refresh_s)

    async def _try(self, what: str, count: Callable[[], Awaitable[None]]) -> None:
        try:
            await count()
            self._failing.discard(what)
        except BackendError as error:
            if what not in self._failing:
                _log.warning("uncounted", what=what, code=error.code, detail=str(error))
            self._failing.add(what)

    async def _count_waiting(self) -> None:
        fleet = self._roster.view.fleet
        named = dict.fromkeys([*self._name_queues(), *(fleet.queues if fleet else ())])
        found = await self._depths.measure(sorted(named)[:MOST_QUEUES])
        self._roster.queues = {queue: depth.waiting for queue, depth in found.items()}
        self._roster.oldest = {queue: depth.oldest_at for queue, depth in found.items() if depth.oldest_at}

    async def _count_totals(self) -> None:
        self._roster.totals = await self._totals.read_totals()
