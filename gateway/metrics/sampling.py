"""What nobody counts as it happens: looked at twice a second, and what only the ledger knows every two seconds."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from gateway.errors import BackendError
from gateway.flows.probing import PartHealth
from gateway.metrics import families
from gateway.metrics.exposition import Reading
from gateway.metrics.meter import Meter
from gateway.ports import Backlog, ConfigState, Workers

EVERY_S: Final = 0.5
MEASURE_EVERY: Final = 4
"""Looks between two at the ledger."""


class Load(Struct, frozen=True, kw_only=True):
    """What one process has at hand."""

    under_way: int
    waiting: int
    lines_dropped: int
    audit_lost: int


class Sampler:
    """Looks on."""

    def __init__(
        self,
        meter: Meter,
        *,
        workers: Workers,
        backlog: Backlog,
        read_parts: Callable[[], Mapping[str, PartHealth] | None],
        name_queues: Callable[[], Iterable[str]],
        describe_config: Callable[[], ConfigState],
        describe_load: Callable[[], Load],
    ) -> None:
        self._meter = meter
        self._workers = workers
        self._backlog = backlog
        self._read_parts = read_parts
        self._name_queues = name_queues
        self._describe_config = describe_config
        self._describe_load = describe_load
        self._waiting: dict[families.Family, int] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        measuring: asyncio.Task[None] | None = None
        looks = 0
        while True:
            if looks % MEASURE_EVERY == 0 and (measuring is None or measuring.done()):
                measuring = asyncio.create_task(self._measure())
            self._look()
            looks += 1
            due = loop.time() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self._meter.note_lag(max(0.0, loop.time() - due))

    def read(self) -> Iterator[Reading]:
        """Tell what is seen of the deployment."""
        view = self._workers.view()
        if view.as_of is not None:
            yield Reading(families.WORKERS, sum(worker.online for worker in view.workers.values()))
        for queue in sorted(set(self._name_queues()) & view.queues.keys()):  # others may be named after workers
            yield Reading(families.DEPTH, view.queues[queue], (queue,))
            since = view.oldest.get(queue)
            yield Reading(families.OLDEST, 0.0 if since is None else _measure_age(since), (queue,))
        for name, part in (self._read_parts() or {}).items():
            yield Reading(families.READY, part.is_ready, (name,))
            yield Reading(families.LATENCY, part.latency_ms / 1000, (name,))
        for family, size in self._waiting.items():
            yield Reading(family, size)

    def _look(self) -> None:
        load, config = self._describe_load(), self._describe_config()
        self._meter.live()
        self._meter.show(families.UNDER_WAY, load.under_way)
        self._meter.show(families.WAITING, load.waiting)
        self._meter.follow(families.LINES_DROPPED, load.lines_dropped)
        self._meter.follow(families.AUDIT_LOST, load.audit_lost)
        self._meter.show(families.GENERATION, config.generation)
        self._meter.show(families.STALE, config.failure is not None)
        self._meter.follow(families.RELOAD_FAILURES, config.failures)

    async def _measure(self) -> None:
        """Ask the ledger; while it is away nothing is known."""
        self._waiting = await self._ask()

    async def _ask(self) -> dict[families.Family, int]:
        with suppress(BackendError):
            parked, unended = await self._backlog.measure()
            return {families.BACKLOG: parked, families.OPEN: unended}
        return {}


def _measure_age(since: datetime) -> float:
    return max(0.0, (datetime.now(UTC) - since).total_seconds())
