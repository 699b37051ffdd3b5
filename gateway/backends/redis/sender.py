"""Sending to a Redis broker whose ledger is elsewhere."""

import asyncio
import time
from collections.abc import Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from gateway.backends.redis.connection import blame, check_write, guarded
from gateway.backends.redis.message import Lanes, build_message
from gateway.backends.redis.withdrawal import QueueSearch
from gateway.errors import BrokerUnavailableError, UncertainPublishError
from gateway.launch.launch import Launch
from gateway.launch.withdrawal import Taking, Withdrawal
from gateway.ports import Revocation


class RedisSender:
    """Pushes messages into the lists of their queues."""

    def __init__(self, client: Redis, *, lanes: Lanes, origin: str, deadline_s: float) -> None:
        self.name = "broker"
        self.warnings: tuple[str, ...] = ()
        self._client = client
        self._lanes = lanes
        self._origin = origin
        self._deadline_s = deadline_s
        self._search = QueueSearch(client, lanes=lanes, deadline_s=deadline_s)

    async def send(self, launch: Launch, *, within_s: float, not_after: float) -> None:
        """Push the message of a launch.

        Raises: BrokerUnavailableError; UncertainPublishError when the connection broke before the answer.
        """
        message = build_message(launch, origin=self._origin)
        due = asyncio.get_running_loop().time() + within_s
        async with guarded(BrokerUnavailableError, "the broker", deadline_s=within_s):
            await self._client.ping()  # what fails before the push is certain
        if time.monotonic() > not_after:
            raise BrokerUnavailableError("the broker's turn came too late: somebody else may send this by now")
        try:
            async with asyncio.timeout_at(due):
                await self._client.lpush(self._lanes.choose(launch.queue, launch.priority), message)
        except ResponseError as error:
            raise blame(error, to=BrokerUnavailableError, what="the broker") from error
        except (RedisError, OSError, TimeoutError) as error:
            raise UncertainPublishError(launch.task_id) from error

    async def withdraw(self, wanted: Sequence[Withdrawal], wish: Revocation) -> dict[str, Taking]:
        """Take the messages of tasks out of their queues.

        Raises: BrokerUnavailableError.
        """
        return await self._search.withdraw(wanted, wish)

    async def check(self) -> None:
        """Return when the broker takes what is written."""
        key = f"{self._lanes.key_prefix}gateway:probe"
        await check_write(self._client, key, to=BrokerUnavailableError, what="the broker", deadline_s=self._deadline_s)
