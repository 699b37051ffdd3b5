"""Celery's Redis result backend, read without Celery."""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, cast

import msgspec
from redis.exceptions import ResponseError

from gateway.backends.redis.connection import Translated, guarded
from gateway.backends.redis.kept import Command
from gateway.backends.redis.scripts import load_script
from gateway.backends.redis.trips import Asking, SharedTrips
from gateway.errors import ResultsUnavailableError
from gateway.launch.withdrawal import REVOKE_REQUESTED
from gateway.ports import Found

TAIL_BYTES: Final = 4096
"""Of a record that is too large, so much of its end is read: what Celery writes behind the result."""
_TRANSLATED: Final = Translated(ResultsUnavailableError, "the result backend")
DAY_S: Final = 86_400
"""Celery's own `result_expires`."""
MARK: Final = load_script("mark")
_EARLY: Final = ("PENDING", "RECEIVED", "RETRY", "REJECTED")
"""States over which a worker that is told of a revoke writes REVOKED, whoever has the task.

Source: celery/worker/control.py, `_revoke`.
"""
_REVOKED: Final = {"exc_type": "TaskRevokedError", "exc_message": ("revoked",), "exc_module": "celery.exceptions"}
"""Source: celery/backends/base.py, `mark_as_revoked` and `prepare_exception`; celery/worker/request.py, `revoked`."""
_NO_RECORD: Final = Found(head=b"", size=0)
"""A key that holds something else: there is a record, and nobody can read it."""


class RedisResults:
    """Reads `celery-task-meta-<id>`."""

    def __init__(
        self, trips: SharedTrips, *, key_prefix: str, deadline_s: float, max_bytes: int, keep_s: int = DAY_S
    ) -> None:
        """Take the way to one Redis; of a record larger than `max_bytes` only beginning and end are read.

        Records of one's own are kept for `keep_s`, Celery's `result_expires`; 0 keeps them for good.
        """
        self.name = "results"
        self.warnings: tuple[str, ...] = ()
        self._client = trips.client
        self._trips = trips
        self._head = f"{_part(key_prefix)}celery-task-meta-"
        self._deadline_s = deadline_s
        self._max_bytes = max_bytes
        self._keep_s = keep_s

    def find(self, task_ids: Sequence[str], *, max_bytes: int | None = None) -> Awaitable[list[Found | None]]:
        """Ask for the raw records of tasks."""
        most = self._max_bytes if max_bytes is None else min(max_bytes, self._max_bytes)
        # One byte more than allowed tells a record that is too large from one that just fits.
        commands = [("GETRANGE", self._head + each, 0, most) for each in task_ids]
        return Asking(self._trips.ask(*commands), partial(self._read, task_ids, most))

    async def _read(self, task_ids: Sequence[str], most: int, asked: Awaitable[list[Any]]) -> list[Found | None]:
        with _TRANSLATED:
            replies = await asked
            keys = [self._head + each for each in task_ids]
            cut = [key for key, reply in zip(keys, replies, strict=True) if _is_longer(reply, most)]
            ends = [] if not cut else await self._trips.ask(*(command for key in cut for command in _ask_end(key)))
            pairs = iter(zip(ends[::2], ends[1::2], strict=True))
            return [_measure(reply, next(pairs) if _is_longer(reply, most) else None) for reply in replies]

    async def load(self, task_id: str) -> bytes | None:
        """Return a whole raw record, however large."""
        async with guarded(ResultsUnavailableError, "the result backend", deadline_s=self._deadline_s):
            return cast("bytes | None", await self._client.get(self._head + task_id))

    def channel_of(self, task_id: str) -> str:
        """Name the channel of a task, which Celery calls like its key."""
        return self._head + task_id

    async def mark_asked(self, task_ids: Sequence[str]) -> None:
        """Keep workers from writing that tasks are revoked before they are; see `REVOKE_REQUESTED`."""
        await self._mark({each: write_record(each, REVOKE_REQUESTED) for each in task_ids}, over=_EARLY, is_told=False)

    async def mark_revoked(self, task_ids: Sequence[str], *, at: datetime) -> None:
        """Write of tasks that never ran what Celery writes of revoked ones, and publish it as Celery does."""
        records = {each: write_record(each, "REVOKED", _REVOKED, at=at) for each in task_ids}
        await self._mark(records, over=None, is_told=True)

    async def _mark(self, records: Mapping[str, bytes], *, over: Sequence[str] | None, is_told: bool) -> None:
        words = [word for task_id, record in records.items() for word in (self._head + task_id, record)]
        async with guarded(ResultsUnavailableError, "the result backend", deadline_s=self._deadline_s):
            await self._client.eval(MARK, 0, self._keep_s, int(is_told), msgspec.json.encode(over), *words)

    async def check(self) -> None:
        """Return when the result backend answers."""
        async with guarded(ResultsUnavailableError, "the result backend", deadline_s=self._deadline_s):
            await self._client.ping()


def _part(key_prefix: str) -> str:
    """Put an underscore behind a prefix that does not part itself from what follows.

    Source: celery/backends/base.py, `_add_global_keyprefix`.
    """
    return key_prefix if not key_prefix or key_prefix[-1] in ":_-." else f"{key_prefix}_"


def _ask_end(key: str) -> tuple[Command, Command]:
    return ("STRLEN", key), ("GETRANGE", key, -TAIL_BYTES, -1)


def _is_longer(reply: Any, most: int) -> bool:
    return isinstance(reply, bytes) and len(reply) > most


def _measure(reply: Any, end: tuple[Any, Any] | None) -> Found | None:
    """Read a reply; of a record that is too large with what was asked of its end."""
    if isinstance(reply, ResponseError) and str(reply).startswith("WRONGTYPE"):
        return _NO_RECORD
    for refused in (reply, *(end or ())):
        if isinstance(refused, Exception):
            raise refused
    if end is not None:
        return Found(head=reply[:-1], tail=end[1], size=end[0])
    return Found(head=reply, size=len(reply)) if reply else None


def write_record(task_id: str, status: str, result: object = None, *, at: datetime | None = None) -> bytes:
    """Write a record as Celery does without a request at hand, `at` the moment when it was done.

    Source: celery/backends/base.py, `_store_result` and `_get_result_meta`.
    """
    return msgspec.json.encode(
        {
            "status": status,
            "result": result,
            "traceback": None,
            "children": None,
            "date_done": None if at is None else at.isoformat(),
            "task_id": task_id,
        }
    )
