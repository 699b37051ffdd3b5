"""The tasks whose end nobody has seen, in the ledger's Redis, looked after by one process at a time."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, cast

import msgspec
from redis.asyncio import Redis

from gateway.backends.redis.connection import guarded
from gateway.backends.redis.lease import Lease
from gateway.backends.redis.scripts import load_script
from gateway.errors import LedgerUnavailableError
from gateway.ports import End, Slice

LEASE_S: Final = 5.0
SIFT: Final = load_script("sift")
SETTLE_MANY: Final = load_script("tell", "settle", "settle_many")
_ENCODER = msgspec.json.Encoder()


class RedisOpenTasks:
    """Walks the sets `open` and `ended:<status>`, under a lease."""

    def __init__(self, client: Redis, *, prefix: str, deadline_s: float, lease_s: float = LEASE_S) -> None:
        self._client = client
        self._prefix = prefix
        self._deadline_s = deadline_s
        self._lease = Lease(client, key=f"{prefix}settler", lease_s=lease_s)

    async def take(self, after: str, *, count: int) -> Slice | None:
        """Return the next open tasks behind one."""
        return await self._sift("open", after, count)

    async def trim(self, status: str, after: str, *, count: int) -> Slice | None:
        """Drop what has expired of the next tasks that ended with a status."""
        return await self._sift(f"ended:{status}", after, count)

    async def settle(self, ends: Mapping[str, End], *, started: Mapping[str, str | None]) -> frozenset[str]:
        """Write down ends and starts."""
        written: list[Any] = [len(ends)]
        for task_id, end in ends.items():
            written += (task_id, _ENCODER.encode(end), end.status)
        for task_id, worker in started.items():
            written += (task_id, worker or "")
        async with self._guarded():
            answer = await self._lease.run(SETTLE_MANY, self._prefix, *written)
        return frozenset(each.decode() for each in answer or ())

    async def take_ended(self, *, count: int) -> tuple[str, ...]:
        """Take some tasks whose end a worker wrote down itself."""
        async with self._guarded():
            taken = await self._client.lpop(f"{self._prefix}uncounted", count)
        return tuple(each.decode() for each in cast("list[bytes] | None", taken) or ())

    async def _sift(self, name: str, after: str, count: int) -> Slice | None:
        async with self._guarded():
            answer = await self._lease.run(SIFT, self._prefix, name, after, count)
        if answer is None:
            return None
        size, following, left = answer
        return Slice(task_ids=tuple(each.decode() for each in left), following=following.decode(), size=size)

    def _guarded(self) -> AbstractAsyncContextManager[None]:
        return guarded(LedgerUnavailableError, "the ledger", deadline_s=self._deadline_s)
