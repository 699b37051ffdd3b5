"""The depth of queues in a Redis broker, and since when the oldest message of each waits: its id carries the moment."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from redis.asyncio import Redis

from gateway.backends.depths import Depth
from gateway.backends.redis.connection import guarded
from gateway.backends.redis.message import Lanes
from gateway.backends.redis.scripts import load_script
from gateway.errors import BrokerUnavailableError
from gateway.launch.task_id import is_task_id, read_ms

AT_ONCE: Final = 100
"""Queues of one run of the script."""
DEPTHS: Final = load_script("read_id", "depths")
_MINTED: Final = "7"
"""The version of our ids; others hold no moment."""
_VERSION_AT: Final = 14


class RedisDepths:
    """Counts what waits in the lists of queues."""

    def __init__(self, client: Redis, *, lanes: Lanes, deadline_s: float) -> None:
        self._client = client
        self._lanes = lanes
        self._deadline_s = deadline_s

    async def measure(self, queues: Sequence[str]) -> dict[str, Depth]:
        """Count the messages of queues.

        Raises: BrokerUnavailableError.
        """
        found: dict[str, Depth] = {}
        for at in range(0, len(queues), AT_ONCE):
            some = queues[at : at + AT_ONCE]
            lists = [each for queue in some for each in self._lanes.list_all(queue)]
            async with guarded(BrokerUnavailableError, "the broker", deadline_s=self._deadline_s):
                answers: list[Any] = await self._client.eval(DEPTHS, 0, len(self._lanes.steps), *lists)
            found |= {queue: _read(*each) for queue, each in zip(some, answers, strict=True)}
        return found


def _read(waiting: int, raw_ids: bytes) -> Depth:
    ids = [each for each in raw_ids.decode(errors="replace").split() if is_task_id(each)]
    moments = [read_ms(each) for each in ids if each[_VERSION_AT] == _MINTED]
    oldest_at = datetime.fromtimestamp(min(moments) / 1000, UTC) if moments else None
    return Depth(waiting=waiting, oldest_at=oldest_at)
