"""One who waits, and what is heard of a task meanwhile."""

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.ports import News

Hear = Callable[[bytes | None], None]
"""Takes news: a task's new record, `WORD`, or None where some may have been missed."""
WORD: Final = b""
"""News that is no record: the ledger knows more."""


class Watch:
    """One who waits for a task to change."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._is_stopped = False

    async def wait(self, timeout_s: float) -> News:
        """Wait for news; what came since the last wait counts."""
        if not self._event.is_set():
            try:
                async with asyncio.timeout(max(0.0, timeout_s)):
                    await self._event.wait()
            except TimeoutError:
                return "none"
        if self._is_stopped:
            return "stopped"
        self._event.clear()
        return "changed"

    def stop(self) -> None:
        """Wait no more."""
        self._is_stopped = True
        self._event.set()

    def hear(self, _: bytes | None) -> None:
        """Take news."""
        self._event.set()
