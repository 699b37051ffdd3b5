"""Quotas in memory: the moments at which launches took a unit of each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from gateway.launch.offer import Limited
from gateway.launch.quota import Quota, Room

MILLISECOND: Final = timedelta(milliseconds=1)


class MemoryQuotas:
    """Tells whether quotas have room, and takes it."""

    def __init__(self, used: dict[str, tuple[datetime, ...]] | None = None) -> None:
        self._used = used or {}

    def copy(self) -> "MemoryQuotas":
        """Return one that knows what was used so far."""
        return MemoryQuotas(dict(self._used))

    def refuse(self, quotas: Sequence[Quota], now: datetime) -> Limited | None:
        """Tell which quota has no room for longest, if any has none."""
        waits = [self._find_wait_ms(quota, now) for quota in quotas]
        if not any(waits):
            return None
        longest = max(range(len(waits)), key=waits.__getitem__)
        return Limited(number=longest, wait_ms=waits[longest], rooms=self._find_rooms(quotas, now))

    def use(self, quotas: Sequence[Quota], now: datetime) -> tuple[Room, ...]:
        """Take one unit of each quota."""
        for quota in quotas:
            self._used[quota.key] = (*self._find_live(quota, now), now)
        return self._find_rooms(quotas, now)

    def _find_rooms(self, quotas: Sequence[Quota], now: datetime) -> tuple[Room, ...]:
        rooms = []
        for quota in quotas:
            live = self._find_live(quota, now)
            remaining = max(0, quota.rate.count - len(live))
            rooms.append(Room(remaining=remaining, renews_ms=_wait_ms(quota, live[0] if live else now, now)))
        return tuple(rooms)

    def _find_wait_ms(self, quota: Quota, now: datetime) -> int:
        live = self._find_live(quota, now)
        excess = len(live) + 1 - quota.rate.count
        return _wait_ms(quota, live[excess - 1], now) if excess > 0 else 0

    def _find_live(self, quota: Quota, now: datetime) -> list[datetime]:
        since = now - timedelta(seconds=quota.rate.period_s)
        return [each for each in self._used.get(quota.key, ()) if each > since]


def _wait_ms(quota: Quota, oldest: datetime, now: datetime) -> int:
    return max(1, (oldest + timedelta(seconds=quota.rate.period_s) - now) // MILLISECOND)
