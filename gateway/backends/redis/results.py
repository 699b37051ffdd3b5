"""Celery's Redis result backend, read without Celery."""

from collections.abc import Sequence
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

    async def find(self, task_ids: Sequence[str]) -> list[bytes | None]:
        """Return the raw records of tasks; anything but a string under its key reads as none."""
        if not task_ids:
            return []
        async with guarded(ResultsUnavailableError, "the result backend", deadline_s=self._deadline_s):
            values = await self._client.mget([f"{self._key_prefix}celery-task-meta-{each}" for each in task_ids])
        return cast("list[bytes | None]", values)

    async def check(self) -> None:
        """Return when the result backend answers."""
        async with guarded(ResultsUnavailableError, "the result backend", deadline_s=self._deadline_s):
            await self._client.ping()
