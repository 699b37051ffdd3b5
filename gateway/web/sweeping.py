"""Looking after the connections of a process: how many an address has, and once a second, whether a request is on its way for too long."""

import asyncio
from collections import Counter
from typing import Final, Protocol

from gateway.web.heads import Limits
from gateway.web.origin import Networks, is_trusted

EVERY_S: Final = 1.0


class Connection(Protocol):
    """One connection."""

    loop: asyncio.AbstractEventLoop
    client: tuple[str, int] | None

    def judge(self, now: float) -> None:
        """Close it, if it is time."""


class Sweeper:
    """Asks every connection, over one timer for all of them."""

    def __init__(self, limits: Limits, *, trusted: Networks = (), every_s: float = EVERY_S) -> None:
        """`trusted` are addresses behind which there are many, whose connections are not counted."""
        self.limits = limits
        self._trusted = trusted
        self._every_s = every_s
        self._connections: set[Connection] = set()
        self._counts: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Connection) -> bool:
        """Look after a connection; False when its address has too many already."""
        peer = self._name(connection)
        if self._counts[peer] >= self.limits.max_connections and not is_trusted(peer, self._trusted):
            return False
        self._counts[peer] += 1
        self._connections.add(connection)
        if self._timer is None:
            self._timer = connection.loop.call_later(self._every_s, self._sweep, connection.loop)
        return True

    def discard(self, connection: Connection) -> None:
        """Look after it no longer."""
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        peer = self._name(connection)
        self._counts[peer] -= 1
        if not self._counts[peer]:
            del self._counts[peer]

    @staticmethod
    def _name(connection: Connection) -> str:
        return connection.client[0] if connection.client else ""

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in tuple(self._connections):
            connection.judge(now)
        self._timer = loop.call_later(self._every_s, self._sweep, loop) if self._connections else None
