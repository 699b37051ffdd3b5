"""The drain: between the wish that a process stop and its end it serves on, so that balancers have turned away by then.

What comes in: signals. What goes out: the same, to the server, which then closes its listener and ends open requests.
"""

import asyncio
import signal
from collections.abc import Callable
from typing import Final

import structlog

from gateway.web.answers import CLOSE

ONE_WISH_S: Final = 1.0
"""A signal that comes again so soon is the same wish: a terminal and systemd tell all processes, as their supervisor does."""
AGAIN_S: Final = 0.25
"""Between two times that those are sent away who only then begin to wait: a launch may be under way that prefers to."""
_log = structlog.get_logger("gateway.draining")


class Drain:
    """The last seconds of a process."""

    def __init__(self, drain_s: float, *, send_away: Callable[[], None], set_limit: Callable[[], None]) -> None:
        """`send_away` is called when the drain begins, for those who wait, and again and again once it has ended.

        `set_limit` is called when it has ended: from then on the end of the process has its time.
        """
        self.is_begun = False
        """From then on for good."""
        self._drain_s = drain_s
        self._send_away = send_away
        self._set_limit = set_limit
        self._is_ended = False
        self._heard: dict[int, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """What every answer says beside all else."""
        return (CLOSE,) if self.is_begun else ()

    def hear(self, number: int, stop: Callable[[], None]) -> None:
        """Begin at the first SIGTERM, and call `stop` at the end; any other wish ends it at once."""
        loop = asyncio.get_running_loop()
        if loop.time() - self._heard.get(number, -ONE_WISH_S) < ONE_WISH_S:
            return
        self._heard[number] = loop.time()
        is_first, self.is_begun = not self.is_begun, True
        if is_first and number == signal.SIGTERM and self._drain_s:
            _log.info("draining", drain_s=self._drain_s)
            self._timer = loop.call_later(self._drain_s, self._end, stop)
            self._send_away()
        else:
            self._end(stop)

    def _end(self, stop: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._is_ended:
            self._is_ended = True
            self._set_limit()
        stop()
        self._send_rest_away()

    def _send_rest_away(self) -> None:
        self._send_away()
        self._timer = asyncio.get_running_loop().call_later(AGAIN_S, self._send_rest_away)
