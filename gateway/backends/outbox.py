"""Publishing where ledger and broker are two things: the row first, the message second."""

from contextlib import AbstractAsyncContextManager
from typing import Literal, cast

import msgspec
from redis.asyncio import Redis

from gateway.backends.redis.connection import guarded
from gateway.backends.redis.ledger import entry_key
from gateway.errors import (
    BrokerUnavailableError,
    LaunchInFlightError,
    LedgerUnavailableError,
    UncertainPublishError,
)
from gateway.launch.idempotency import KEEP_S, PENDING_S, Claim
from gateway.launch.launch import Launch, record
from gateway.ports import Publisher


class OutboxPublisher:
    """Writes the ledger's row before the message leaves, and takes it back when the broker surely refused."""

    def __init__(self, ledger: Redis, broker: Publisher, *, prefix: str, deadline_s: float) -> None:
        self._ledger = ledger
        self._broker = broker
        self._prefix = prefix
        self._deadline_s = deadline_s

    async def publish(self, launch: Launch, claim: Claim | None = None) -> bytes | None:
        """Record, then publish; a claimed key is held for the launch from the first step on.

        Raises: LedgerUnavailableError or BrokerUnavailableError when nothing was published;
            UncertainPublishError when that is not known, with the row left in place.
        """
        known = await self._record(launch, claim)
        if known is not None:
            return known
        try:
            await self._broker.publish(launch)
        except BrokerUnavailableError:
            await self._forget(launch, claim)
            raise
        except UncertainPublishError:
            await self._remember(claim, "uncertain")
            raise
        await self._remember(claim, "done")
        return None

    async def _record(self, launch: Launch, claim: Claim | None) -> bytes | None:
        key = entry_key(self._prefix, launch.task_id)
        async with self._guarded():
            if claim is not None:
                pending = claim.encode("pending")
                if not await self._ledger.set(self._claim_key(claim), pending, nx=True, ex=PENDING_S):
                    return await self._find_known(claim)
            await self._ledger.set(key, msgspec.json.encode(record(launch)), ex=launch.keep_s)
        return None

    async def _find_known(self, claim: Claim) -> bytes:
        known = await self._ledger.get(self._claim_key(claim))
        if known is None:  # it expired between the two commands: the caller may try again
            raise LaunchInFlightError
        return cast("bytes", known)

    async def _forget(self, launch: Launch, claim: Claim | None) -> None:
        keys = [entry_key(self._prefix, launch.task_id)]
        async with self._guarded():
            await self._ledger.delete(*keys, *([self._claim_key(claim)] if claim is not None else []))

    async def _remember(self, claim: Claim | None, state: Literal["done", "uncertain"]) -> None:
        if claim is not None:
            async with self._guarded():
                await self._ledger.set(self._claim_key(claim), claim.encode(state), ex=KEEP_S)

    def _claim_key(self, claim: Claim) -> str:
        return f"{self._prefix}key:{claim.key_digest}"

    def _guarded(self) -> AbstractAsyncContextManager[None]:
        return guarded(LedgerUnavailableError, "the ledger", deadline_s=self._deadline_s)
