"""Probing: looks at each thing the gateway stands on, every second, so that readiness is told from memory.

What comes in: probes. What goes out: what each said last. A part that is frozen holds up no other, and nobody who asks.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.errors import BackendError
from gateway.ports import Probe, Tally

EVERY_S: Final = 1.0
"""From the beginning of one look to that of the next."""
PROBE_S: Final = 0.75
"""A part that says nothing for so long is not ready: both together are less than two seconds."""
FIRST_S: Final = 0.08
"""So long whoever asks first waits for the first looks."""


class PartHealth(Struct, frozen=True, kw_only=True):
    """One thing the gateway stands on."""

    is_ready: bool
    latency_ms: float
    error: str | None = None
    last_error: str | None = None
    """The last one, however long ago, since the process began."""
    last_error_at: datetime | None = None
    checked_at: datetime | None = None
    """None where there is nothing to check."""
    warnings: tuple[str, ...] = ()
    """What is dangerous about it though it answers."""


class Prober:
    """Looks at parts, and remembers."""

    def __init__(self, probes: Sequence[Probe], *, tally: Tally, clock: Callable[[], datetime]) -> None:
        self.probes = tuple(probes)
        self._tally = tally
        self._clock = clock
        self._seen: dict[str, PartHealth] = {}
        self._first: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Look until cancelled, at each part for itself."""
        await asyncio.gather(*(self._watch(probe) for probe in self.probes))

    def read(self) -> dict[str, PartHealth] | None:
        """Return what each part said last; None until all have been looked at."""
        seen = self._seen
        if len(seen) < len(self.probes):
            return None
        return {probe.name: replace(seen[probe.name], warnings=probe.warnings) for probe in self.probes}

    async def read_soon(self) -> dict[str, PartHealth] | None:
        """Return the same; at the very beginning after a short look at the parts."""
        if len(self._seen) < len(self.probes):
            if not self._first:
                self._first = {asyncio.create_task(self._look(probe)) for probe in self.probes}
            await asyncio.wait(self._first, timeout=FIRST_S)
        return self.read()

    async def _watch(self, probe: Probe) -> None:
        while True:
            began = time.monotonic()
            await self._look(probe)
            await asyncio.sleep(max(0.0, EVERY_S - (time.monotonic() - began)))

    async def _look(self, probe: Probe) -> None:
        began = time.perf_counter()
        error, code = await _ask(probe)
        latency_ms = round((time.perf_counter() - began) * 1000, 3)
        before, now = self._seen.get(probe.name), self._clock()
        seen = PartHealth(is_ready=error is None, latency_ms=latency_ms, error=error, checked_at=now)
        if error is not None:
            self._tally.note_failure(code)
            seen = replace(seen, last_error=error, last_error_at=now)
        elif before is not None:
            seen = replace(seen, last_error=before.last_error, last_error_at=before.last_error_at)
        self._seen[probe.name] = seen


async def _ask(probe: Probe) -> tuple[str | None, str]:
    """Ask a part; return what is wrong and its code, or nothing."""
    try:
        async with asyncio.timeout(PROBE_S):
            await probe.check()
    except BackendError as error:
        return str(error), error.code
    except TimeoutError:
        return f"no answer within {PROBE_S:g} s", f"{probe.name}_unavailable"
    return None, ""
