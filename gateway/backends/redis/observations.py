"""What was observed of workers and runs, in the ledger; and of what workers that start must be told.

One gateway at a time notes the events of tasks, by a lease; every one may note heartbeats, as the latest stands.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis

from gateway.backends.redis.connection import guarded
from gateway.backends.redis.lease import Lease
from gateway.backends.redis.scripts import load_script
from gateway.errors import LedgerUnavailableError

LEASE_S: Final = 10.0
HEARTBEATS_KEPT_S: Final = 7 * 86_400
MOST_WORKERS: Final = 10_000
NOTE_RUNS: Final = load_script("tell", "note_run", "note_runs")


class RunEvent(NamedTuple):
    """One thing that happened to a run."""

    task_id: str
    kind: str
    """`received_at` or `started_at`."""
    moment: str
    """RFC 3339 in UTC with microseconds, so that text sorts as time."""
    worker: str


class RedisObservations:
    """Reads and writes observations."""

    def __init__(self, client: Redis, *, prefix: str, deadline_s: float) -> None:
        self._client = client
        self._prefix = prefix
        self._deadline_s = deadline_s
        self._lease = Lease(client, key=f"{prefix}observer", lease_s=LEASE_S)
        self._revoked = f"{prefix}revoked"
        self._workers = f"{prefix}workers"

    async def note_runs(self, events: Sequence[RunEvent]) -> bool:
        """Note events, also none; tell whether it is this process that does so.

        Raises: LedgerUnavailableError.
        """
        words = [word for event in events for word in event]
        async with self._guarded():
            return await self._lease.run(NOTE_RUNS, self._prefix, *words) is not None

    async def note_heartbeats(self, beats: Mapping[str, float]) -> None:
        """Note when workers were last heard of, in seconds since 1970.

        Raises: LedgerUnavailableError.
        """
        async with self._guarded(), self._client.pipeline() as pipeline:
            pipeline.zadd(self._workers, dict(beats), gt=True)
            pipeline.zremrangebyrank(self._workers, 0, -MOST_WORKERS - 1)
            pipeline.expire(self._workers, HEARTBEATS_KEPT_S)
            await pipeline.execute()

    async def recall_heartbeats(self) -> dict[str, float]:
        """Return when workers were last heard of.

        Raises: LedgerUnavailableError.
        """
        async with self._guarded():
            beats: list[Any] = await self._client.zrange(self._workers, 0, -1, withscores=True)
        return {worker.decode(errors="replace"): float(at) for worker, at in beats}

    async def list_revoked(self, *, count: int, within_s: float | None = None) -> list[str]:
        """List the newest revokes that may not hold yet, the oldest of them first.

        Raises: LedgerUnavailableError.
        """
        least = "-inf" if within_s is None else str(1000 * (time.time() - within_s))
        async with self._guarded():
            ids: list[Any] = await self._client.zrevrangebyscore(self._revoked, "+inf", least, start=0, num=count)
        return [each.decode() for each in reversed(ids)]

    def _guarded(self) -> AbstractAsyncContextManager[None]:
        return guarded(LedgerUnavailableError, "the ledger", deadline_s=self._deadline_s)
