"""No result backend: nothing is ever heard of a task."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from gateway.ports import Found


class DisabledResults:
    """Finds nothing, always."""

    def __init__(self, *, warnings: tuple[str, ...] = ()) -> None:
        self.name = "results"
        self.warnings = warnings

    def find(self, task_ids: Sequence[str], *, max_bytes: int | None = None) -> "asyncio.Future[list[Found | None]]":  # noqa: ARG002 - nothing is found
        """Answer None for each task."""
        asked: asyncio.Future[list[Found | None]] = asyncio.get_running_loop().create_future()
        asked.set_result([None] * len(task_ids))
        return asked

    async def load(self, task_id: str) -> None:
        """Return nothing."""

    async def mark_asked(self, task_ids: Sequence[str]) -> None:
        """Write nothing: there is nobody to read it."""

    async def mark_revoked(self, task_ids: Sequence[str], *, at: datetime) -> None:
        """Write nothing: there is nobody to read it."""

    def channel_of(self, task_id: str) -> None:
        """Tell that nobody is told of changes."""

    async def check(self) -> None:
        """Answer, always."""

    def close(self) -> None:
        """Hold nothing."""
