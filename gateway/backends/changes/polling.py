"""A poll that is shared by all who wait, for result backends that tell nobody of a change."""

import asyncio
from typing import Final

import structlog

from gateway.backends.changes.watch import Hear
from gateway.errors import BackendError
from gateway.ports import Found, Results

EVERY_S: Final = 0.25
AT_ONCE: Final = 500
"""Records of one read."""
_log = structlog.get_logger("gateway.changes")


class PollingSource:
    """Reads the records of all tasks that somebody waits for, again and again."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._hearers: dict[str, Hear] = {}
        self._seen: dict[str, Found | None] = {}
        self._is_failing = False

    async def follow(self, task_id: str, hear: Hear) -> None:
        """Pass on each change of a task's record."""
        self._hearers[task_id] = hear

    def leave(self, task_id: str) -> None:
        """Read the task's record no more."""
        self._hearers.pop(task_id, None)
        self._seen.pop(task_id, None)

    async def fence(self) -> None:
        """Promise nothing: what was not seen yet is seen by a later read."""

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            try:
                await self.poll()
                self._is_failing = False
            except BackendError as error:
                if not self._is_failing:
                    _log.warning("poll_failed", detail=str(error))
                self._is_failing = True
            await asyncio.sleep(EVERY_S)

    async def poll(self) -> None:
        """Read every record once.

        Raises: BackendError.
        """
        task_ids = list(self._hearers)
        for start in range(0, len(task_ids), AT_ONCE):
            chunk = task_ids[start : start + AT_ONCE]
            for task_id, found in zip(chunk, await self._results.find(chunk), strict=True):
                self._compare(task_id, found)

    def _compare(self, task_id: str, found: Found | None) -> None:
        hear = self._hearers.get(task_id)
        if hear is None or (task_id in self._seen and self._seen[task_id] == found):
            return
        self._seen[task_id] = found
        hear(None if found is None or not found.is_whole else found.head)
