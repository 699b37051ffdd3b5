"""Celery's Redis result backend, read without Celery."""

from typing import cast

from redis.asyncio import Redis

from gateway.backends.redis.connection import guarded
from gateway.errors import ResultsUnavailableError


class RedisResults:
    """Reads `celery-task-meta-<id>`."""

    def __init__(self, client: Redis, *, key_prefix: str, deadline_s: float) -> None:
        self.name = "results"
        self.warnings: tuple[str, ...] = ()
        self._client = client
        self._key_prefix = key_prefix
        self._deadline_s = deadline_s

    async def find(self, task_id: str) -> bytes | None:
        """Return the raw record of a task; anything but a string under its key reads as unreadable."""
        async with guarded(ResultsUnavailableError, "the result backend", deadline_s=self._deadline_s):
            values = await self._client.mget((f"{self._key_prefix}celery-task-meta-{task_id}",))
        return cast("bytes | None", values[0])

    async def check(self) -> None:
        """Return when the result backend answers."""
        async with guarded(ResultsUnavailableError, "the result backend", deadline_s=self._deadline_s):
            await self._client.ping()
