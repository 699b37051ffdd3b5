"""The logs of followed tasks, as Redis streams in the ledger. What may happen to a task stands in `keys`."""

from hashlib import blake2b
from typing import Any, Final, cast

import msgspec

from gateway.backends.redis.scripts import load_script
from gateway.backends.redis.trips import SharedTrips, await_ledger
from gateway.ports import End, Found, LogEntry, Revocation, Run

KEEP_S: Final = 600
"""How long a log outlives its last follower: so long a client may be away and miss nothing."""
FOLLOW_S: Final = 90
"""How long gateways follow a task after somebody asked for it; who still does asks again before."""
MAX_RECORD_BYTES: Final = 16_384
"""Larger records are logged by their ends; whoever is told the final status gets the result from its own place."""
TAIL_BYTES: Final = 1024
OPEN: Final = load_script("log_open")
APPEND: Final = load_script("log_append")
_KINDS: Final = {b"run": Run, b"revoke": Revocation, b"end": End}
_MEMBERS: Final = {b"run": "run", b"revoke": "revocation", b"end": "end"}


class RedisTaskLog:
    """Reads and writes logs."""

    def __init__(self, trips: SharedTrips, *, prefix: str) -> None:
        self._trips = trips
        self._prefix = prefix
        self.announcements = f"{prefix}streams"
        """The channel on which the ids of tasks are told that are to be followed."""

    async def open(self, task_id: str, record: Found | None) -> None:
        """Begin the log of a task, unless there is one, and have it followed."""
        arguments = ("", b"", b"", 0) if record is None else (digest(record), *_cut(record))
        lives = (KEEP_S * 1000, FOLLOW_S * 1000)
        await self._ask("EVAL", OPEN, 0, self._prefix, task_id, *lives, *arguments)

    async def read(self, task_id: str, after: str) -> list[LogEntry]:
        """Return the entries behind one."""
        entries = await self._ask("XRANGE", self._key(task_id), f"({after}" if after != "0" else "-", "+")
        return [_read_entry(entry_id.decode(), fields) for entry_id, fields in entries]

    async def append(self, task_id: str, record: Found, *, at: str, is_inclusive: bool) -> str:
        """Log a record that was heard, unless another gateway has; return where in the log the caller stands now."""
        arguments = (self._prefix, task_id, at, int(is_inclusive), digest(record), *_cut(record))
        return cast("bytes", await self._ask("EVAL", APPEND, 0, *arguments)).decode()

    async def find_end(self, task_id: str) -> str:
        """Return the id of the last entry, `0` when there is none."""
        entries = await self._ask("XREVRANGE", self._key(task_id), "+", "-", "COUNT", 1)
        return entries[0][0].decode() if entries else "0"

    async def find_followed(self) -> list[str]:
        """Return the tasks that are to be followed at this moment."""
        [seconds, _] = await self._ask("TIME")
        ids = await self._ask("ZRANGEBYSCORE", self.announcements, int(seconds) * 1000, "+inf")
        return [each.decode() for each in ids]

    def _key(self, task_id: str) -> str:
        return f"{self._prefix}log:{task_id}"

    async def _ask(self, *command: Any) -> Any:
        [reply] = await await_ledger(self._trips.ask(command))
        return reply


def digest(record: Found) -> str:
    """Return what tells a record from others, however much of it was read."""
    head, tail, _ = _cut(record)
    return blake2b(head + tail, digest_size=12).hexdigest()


def _cut(record: Found) -> tuple[bytes, bytes, int]:
    if record.size <= MAX_RECORD_BYTES:
        return record.head, b"", record.size
    tail = record.head if record.is_whole else record.tail
    return record.head[:TAIL_BYTES], tail[-TAIL_BYTES:], record.size


def _read_entry(entry_id: str, flat: list[bytes]) -> LogEntry:
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    kind = fields[b"k"]
    if kind in _KINDS:
        return LogEntry(entry_id=entry_id, **{_MEMBERS[kind]: msgspec.json.decode(fields[b"h"], type=_KINDS[kind])})
    parts = {
        _MEMBERS[name]: msgspec.json.decode(fields[name], type=kind)
        for name, kind in _KINDS.items()
        if fields.get(name)
    }
    size = int(fields[b"n"])
    record = Found(head=fields[b"h"], tail=fields[b"t"], size=size) if size else None
    return LogEntry(entry_id=entry_id, record=record, **parts)
