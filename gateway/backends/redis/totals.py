"""The ledger's counters: launches and ends of each task type, the same for all gateways.

`launch.lua` counts what it launches, `settle.lua` each end as it is written, which happens once.
"""

from typing import Any

from gateway.backends.redis.connection import Translated
from gateway.backends.redis.keys import split_total
from gateway.backends.redis.trips import SharedTrips
from gateway.errors import LedgerUnavailableError


class RedisTotals:
    """Reads the counters."""

    def __init__(self, trips: SharedTrips, *, prefix: str) -> None:
        self._trips = trips
        self._key = f"{prefix}totals"

    async def read_totals(self) -> dict[str, dict[str, int]]:
        """Return for each task type how many were launched, and how many ended in each status."""
        with Translated(LedgerUnavailableError, "the ledger"):
            [reply] = await self._trips.ask(("HGETALL", self._key))
            if isinstance(reply, Exception):
                raise reply
        return _read(reply)


def _read(reply: Any) -> dict[str, dict[str, int]]:
    flat = reply if isinstance(reply, list) else [each for pair in reply.items() for each in pair]
    totals: dict[str, dict[str, int]] = {}
    for field, count in zip(flat[::2], flat[1::2], strict=True):
        task_type, what = split_total(field)
        totals.setdefault(task_type, {})[what] = int(count)
    return totals
