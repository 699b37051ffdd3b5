"""The ledger in Redis: one string per launch, which expires with its retention.

Keys, behind the configured prefix: `task:<id>` the entry, `revoke:<id>` a wish to revoke, both expiring after
the task type's `keep_s`; `identity` the key behind the task ids, kept for good as every id ever given depends
on it.
"""

import os
from typing import cast

import msgspec
from redis.asyncio import Redis

from gateway.backends.redis.connection import guarded
from gateway.errors import LedgerUnavailableError
from gateway.launch.idempotency import KEEP_S, Claim
from gateway.launch.launch import LedgerEntry
from gateway.ports import Remembered, Revocation

_IDENTITY_BYTES = 32
_ENTRY = msgspec.json.Decoder(LedgerEntry)
_REVOCATION = msgspec.json.Decoder(Revocation)


def entry_key(prefix: str, task_id: str) -> str:
    """Return the key of a launch's entry."""
    return f"{prefix}task:{task_id}"


class RedisLedger:
    """Reads and marks ledger rows; new ones are written by the publisher, with the message."""

    def __init__(self, client: Redis, *, prefix: str, deadline_s: float) -> None:
        self.name = "ledger"
        self.warnings: tuple[str, ...] = ()
        self._client = client
        self._prefix = prefix
        self._deadline_s = deadline_s
        self._identity: bytes | None = None

    async def identity(self) -> bytes:
        """Return the key of this deployment; the first gateway to ask makes it."""
        if self._identity is None:
            key = f"{self._prefix}identity"
            async with guarded(LedgerUnavailableError, "the ledger", deadline_s=self._deadline_s):
                await self._client.set(key, os.urandom(_IDENTITY_BYTES), nx=True)
                self._identity = cast("bytes", await self._client.get(key))
        return self._identity

    async def find(self, task_id: str) -> Remembered | None:
        """Return what is remembered of a task."""
        async with guarded(LedgerUnavailableError, "the ledger", deadline_s=self._deadline_s):
            keys = (entry_key(self._prefix, task_id), self._revocation_key(task_id))
            entry, revocation = await self._client.mget(keys)
        if entry is None:
            return None
        return Remembered(
            entry=_ENTRY.decode(entry), revocation=None if revocation is None else _REVOCATION.decode(revocation)
        )

    async def keep(self, claim: Claim) -> bytes | None:
        """Keep what was claimed under a key that is free; return what is kept under one that is not."""
        key = f"{self._prefix}key:{claim.key_digest}"
        async with guarded(LedgerUnavailableError, "the ledger", deadline_s=self._deadline_s):
            known = await self._client.set(key, claim.encode(), nx=True, ex=KEEP_S, get=True)
        return cast("bytes | None", known)

    async def record_revocation(self, task_id: str, revocation: Revocation, *, keep_s: int) -> None:
        """Remember that a revoke was asked for; a later one with `terminate` replaces one without."""
        async with guarded(LedgerUnavailableError, "the ledger", deadline_s=self._deadline_s):
            await self._client.set(
                self._revocation_key(task_id), msgspec.json.encode(revocation), ex=keep_s, nx=not revocation.terminate
            )

    async def check(self) -> None:
        """Return when the ledger answers."""
        async with guarded(LedgerUnavailableError, "the ledger", deadline_s=self._deadline_s):
            await self._client.ping()

    def _revocation_key(self, task_id: str) -> str:
        return f"{self._prefix}revoke:{task_id}"
