"""Looking after the connections of a process: once a second each is asked whether its request is on its way for too long."""

import asyncio
from typing import Final, Protocol

from gateway.web.heads import Limits

EVERY_S: Final = 1.0


class Connection(Protocol):
    """One connection."""

    loop: asyncio.AbstractEventLoop

    def judge(self, now: float) -> None:
        """Close it, if it is time."""


class Sweeper:
    """Asks every connection, over one timer for all of them."""

    def __init__(self, limits: Limits, *, every_s: float = EVERY_S) -> None:
        self.limits = limits
        self._every_s = every_s
        self._connections: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Connection) -> None:
        """Look after a connection."""
        self._connections.add(connection)
        if self._timer is None:
            self._timer = connection.loop.call_later(self._every_s, self._sweep, connection.loop)

    def discard(self, connection: Connection) -> None:
        """Look after it no longer."""
        self._connections.discard(connection)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in tuple(self._connections):
            connection.judge(now)
        self._timer = loop.call_later(self._every_s, self._sweep, loop) if self._connections else None
