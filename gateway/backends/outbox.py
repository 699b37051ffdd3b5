"""Publishing where ledger and broker are two things: the row first, the message second."""

import msgspec
from redis.asyncio import Redis

from gateway.backends.redis.connection import guarded
from gateway.backends.redis.ledger import entry_key
from gateway.errors import BrokerUnavailableError, LedgerUnavailableError
from gateway.launch.launch import Launch, record
from gateway.ports import Publisher


class OutboxPublisher:
    """Writes the ledger's row before the message leaves, and takes it back when the broker surely refused."""

    def __init__(self, ledger: Redis, broker: Publisher, *, prefix: str, deadline_s: float) -> None:
        self._ledger = ledger
        self._broker = broker
        self._prefix = prefix
        self._deadline_s = deadline_s

    async def publish(self, launch: Launch) -> None:
        """Record, then publish.

        Raises: LedgerUnavailableError or BrokerUnavailableError when nothing was published;
            UncertainPublishError when that is not known, with the row left in place.
        """
        key = entry_key(self._prefix, launch.task_id)
        async with guarded(LedgerUnavailableError, "the ledger", deadline_s=self._deadline_s):
            await self._ledger.set(key, msgspec.json.encode(record(launch)), ex=launch.keep_s)
        try:
            await self._broker.publish(launch)
        except BrokerUnavailableError:
            async with guarded(LedgerUnavailableError, "the ledger", deadline_s=self._deadline_s):
                await self._ledger.delete(key)
            raise
