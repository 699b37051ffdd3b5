"""Publishing to a Redis that is ledger and broker in one: both in one step."""

import asyncio
from collections.abc import Awaitable, Sequence

from redis.asyncio import Redis

from gateway.backends.redis.commit import GroupCommit
from gateway.backends.redis.connection import check_write
from gateway.backends.redis.message import Lanes
from gateway.backends.redis.orders import Order, order_push
from gateway.backends.redis.withdrawal import QueueSearch
from gateway.errors import BrokerUnavailableError
from gateway.launch.offer import Offer, Outcome
from gateway.launch.withdrawal import Taking, Withdrawal
from gateway.ports import Revocation

CHUNK = 256
"""Offers of a batch that share a round trip for sure."""


class RedisPublisher:
    """Writes a launch's ledger row and its message in one run of a script."""

    def __init__(self, client: Redis, *, prefix: str, lanes: Lanes, origin: str, deadline_s: float) -> None:
        self.name = "broker"
        self.warnings: tuple[str, ...] = ()
        self._client = client
        self._prefix = prefix
        self._lanes = lanes
        self._origin = origin
        self._deadline_s = deadline_s
        self._search = QueueSearch(client, lanes=lanes, deadline_s=deadline_s, ledger_prefix=prefix)
        self._commit = GroupCommit(
            client, prefix=prefix, deadline_s=deadline_s, failure=BrokerUnavailableError, what="the broker"
        )

    def publish(self, offers: Sequence[Offer], *, all_or_nothing: bool = False) -> Awaitable[list[Outcome]]:
        """Publish offers; the outcomes come in their order."""
        if len(offers) <= CHUNK or all_or_nothing:
            return self._commit.run(self._order(offers), is_whole=all_or_nothing)
        return self._publish_chunks(offers)

    async def _publish_chunks(self, offers: Sequence[Offer]) -> list[Outcome]:
        # All at once, so that they have one deadline: behind a Redis that froze the later ones are not tried.
        running: list[asyncio.Task[list[Outcome]]] = []
        for start in range(0, len(offers), CHUNK):
            running.append(asyncio.create_task(self._commit.run(self._order(offers[start : start + CHUNK]))))
            await asyncio.sleep(0)  # the first chunks are on their way while the next ones are written
        return [outcome for outcomes in await asyncio.gather(*running) for outcome in outcomes]

    def _order(self, offers: Sequence[Offer]) -> list[Order]:
        return [order_push(each, prefix=self._prefix, lanes=self._lanes, origin=self._origin) for each in offers]

    async def withdraw(self, wanted: Sequence[Withdrawal], wish: Revocation) -> dict[str, Taking]:
        """Take the messages of tasks out of their queues, and note it in the same step."""
        return await self._search.withdraw(wanted, wish)

    async def check(self) -> None:
        """Return when the broker takes what is written."""
        key = f"{self._prefix}probe"
        await check_write(self._client, key, to=BrokerUnavailableError, what="the broker", deadline_s=self._deadline_s)
