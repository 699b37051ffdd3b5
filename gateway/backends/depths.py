"""How much waits in a queue, as the brokers tell it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct


class Depth(Struct, frozen=True, kw_only=True):
    """What waits in one queue."""

    waiting: int
    oldest_at: datetime | None = None
    """When the launch was accepted that has waited longest, if that can be told."""


class Depths(Protocol):
    """Counts what waits at one kind of broker."""

    async def measure(self, queues: Sequence[str]) -> dict[str, Depth]:
        """Count the messages of queues.

        Raises: BrokerUnavailableError.
        """
