"""The ledger in Redis, read and marked; new launches are written by the publisher, with their messages.

Its keys stand in `keys`. Whatever is asked while Redis is busy shares the next round trip.
"""

import os
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any, Final, cast

import msgspec

from gateway.backends.redis.connection import check_write, guarded
from gateway.backends.redis.gather import ask_values, read_values
from gateway.backends.redis.keys import split_ids
from gateway.backends.redis.scripts import load_script
from gateway.backends.redis.trips import Asking, SharedTrips, await_ledger
from gateway.errors import LedgerUnavailableError
from gateway.launch.idempotency import Claim
from gateway.launch.launch import LedgerEntry
from gateway.ports import End, Remembered, Revocation, Run

SETTLE: Final = load_script("tell", "settle", "settle_one")
REVOKE: Final = load_script("tell", "revocation", "revoke")
_IDENTITY_BYTES = 32
_ENTRY = msgspec.json.Decoder(LedgerEntry)
_REVOCATION = msgspec.json.Decoder(Revocation)
_RUN = msgspec.json.Decoder(Run)
_END = msgspec.json.Decoder(End)
_PARTS = ("task:", "revoke:", "run:", "end:", "chain:")


class RedisLedger:
    """Reads and marks ledger rows."""

    def __init__(self, trips: SharedTrips, *, prefix: str, deadline_s: float) -> None:
        self.name = "ledger"
        self.warnings: tuple[str, ...] = ()
        self._client = trips.client
        self._trips = trips
        self._prefix = prefix
        self._heads = tuple(f"{prefix}{part}" for part in _PARTS)
        self._deadline_s = deadline_s
        self.known_identity: bytes | None = None
        """The key of this deployment, once it was asked for."""

    async def identity(self) -> bytes:
        """Return the key of this deployment; the first gateway to ask makes it."""
        if self.known_identity is None:
            key = f"{self._prefix}identity"
            async with guarded(LedgerUnavailableError, "the ledger", deadline_s=self._deadline_s):
                await self._client.set(key, os.urandom(_IDENTITY_BYTES), nx=True)
                self.known_identity = cast("bytes", await self._client.get(key))
        return self.known_identity

    def find(self, task_ids: Sequence[str]) -> Awaitable[list[Remembered | None]]:
        """Ask what is remembered of tasks."""
        commands = [ask_values(self._heads, task_ids)] if task_ids else []
        return Asking(self._trips.ask(*commands), partial(self._read, task_ids))

    async def _read(self, task_ids: Sequence[str], asked: Awaitable[list[Any]]) -> list[Remembered | None]:
        replies = await await_ledger(asked)
        values = read_values(replies[0], task_ids) if replies else []
        width = len(_PARTS)
        return [_remember(*values[at : at + width]) for at in range(0, len(values), width)]

    async def settle(self, task_id: str, end: End) -> bool:
        """Write down how a task ended; the first one stands."""
        value = msgspec.json.encode(end)
        [is_first] = await await_ledger(self._trips.ask(("EVAL", SETTLE, 0, self._prefix, task_id, value, end.status)))
        return bool(is_first)

    async def keep(self, claim: Claim) -> bytes | None:
        """Keep what was claimed under a key that is free; return what is kept under one that is not."""
        key = f"{self._prefix}key:{claim.key_digest}"
        async with guarded(LedgerUnavailableError, "the ledger", deadline_s=self._deadline_s):
            known = await self._client.set(key, claim.encode(), nx=not claim.is_forced, ex=claim.keep_s, get=True)
        return None if claim.is_forced else cast("bytes | None", known)

    def find_kept(self, key_digests: Sequence[str]) -> Awaitable[list[bytes | None]]:
        """Ask what is kept under keys."""
        keys = [f"{self._prefix}key:{each}" for each in key_digests]
        return self._read_kept(self._trips.ask(("MGET", *keys)) if keys else None)

    async def _read_kept(self, asked: Awaitable[list[Any]] | None) -> list[bytes | None]:
        return [] if asked is None else cast("list[bytes | None]", (await await_ledger(asked))[0])

    async def record_revocations(self, task_ids: Sequence[str], wish: Revocation) -> None:
        """Remember that tasks shall not run; a later wish with `terminate` replaces one without."""
        words = [part for task_id in task_ids for part in (task_id, "")]
        await await_ledger(self._trips.ask(("EVAL", REVOKE, 0, self._prefix, msgspec.json.encode(wish), "", *words)))

    async def check(self) -> None:
        """Return when the ledger takes what is written."""
        key = f"{self._prefix}probe"
        await check_write(self._client, key, to=LedgerUnavailableError, what="the ledger", deadline_s=self._deadline_s)


def _remember(
    entry: bytes | None, revocation: bytes | None, run: bytes | None, end: bytes | None, chain: bytes | None
) -> Remembered | None:
    if entry is None:
        return None
    return Remembered(
        entry=_ENTRY.decode(entry),
        revocation=None if revocation is None else _REVOCATION.decode(revocation),
        run=None if run is None else _RUN.decode(run),
        end=None if end is None else _END.decode(end),
        chain=split_ids(chain),
    )
