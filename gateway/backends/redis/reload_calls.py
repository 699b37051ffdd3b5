"""The call from one gateway to all of its ledger to read their tasks.yaml again."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from redis.exceptions import RedisError

from gateway.backends.redis.subscription import Subscription
from gateway.backends.redis.trips import SharedTrips
from gateway.errors import BackendError


class ReloadCalls:
    """Calls the others, and hears their calls."""

    def __init__(self, trips: SharedTrips, subscription: Subscription, *, prefix: str) -> None:
        self._trips = trips
        self._subscription = subscription
        self._channel = f"{prefix}reload"

    async def send(self) -> None:
        """Call the others; those that do not hear it see a change of their file by themselves."""
        with suppress(RedisError, OSError, TimeoutError):
            await self._trips.ask(("PUBLISH", self._channel, "now"))

    async def answer(self, look: Callable[[], Awaitable[None]]) -> None:
        """Look at the file whenever a gateway calls, this one too, until cancelled."""
        called = asyncio.Event()

        def hear(said: bytes | None) -> None:
            if said is not None:
                called.set()

        with suppress(BackendError):  # it is listened to all the same, once the ledger is there
            await self._subscription.add(self._channel, hear)
        while True:
            await called.wait()
            called.clear()
            await look()
