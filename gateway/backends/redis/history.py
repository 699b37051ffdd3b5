"""The indexes of the ledger in Redis, walked from the newest launch on; the launches write them, in `launch.lua`."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

from gateway.backends.redis.kept import Command
from gateway.backends.redis.keys import ID_CHARACTERS, split_ids
from gateway.backends.redis.trips import SharedTrips, await_ledger
from gateway.launch.task_id import name_first
from gateway.ports import Index, Place, Window

SLACK_MS: Final = 30_000
"""So far may the clock of a gateway, which a launch tells, be from that of Redis, by which streams are ordered."""
SAMPLE: Final = 10
"""Entries from which the size of a stream is estimated."""
_KEYS: Final = {
    "all": "history",
    "type": "history:type:{}",
    "batch": "history:batch:{}",
    "chain": "chain:{}",
    "open": "open",
    "ended": "ended:{}",
}
_STREAMS: Final = frozenset({"all", "type", "batch"})


class RedisHistory:
    """Reads streams, sorted sets and chains."""

    def __init__(self, trips: SharedTrips, *, prefix: str) -> None:
        self._trips = trips
        self._prefix = prefix

    async def measure(self, indexes: Sequence[Index]) -> list[int]:
        """Tell about how many launches each index holds."""
        asked = [_ask_size(each, self._key(each)) for each in indexes]
        replies = iter(await await_ledger(self._trips.ask(*chain.from_iterable(asked))))
        return [_read_size(each, [next(replies) for _ in some]) for each, some in zip(indexes, asked, strict=True)]

    async def walk(self, indexes: Sequence[Index], *, before: str, count: int, window: Window) -> list[list[Place]]:
        """Return the next launches of each index."""
        if indexes[0].kind == "chain":
            return [await self._walk_chain(self._key(indexes[0]), before, count)]
        commands = [_ask_places(each, self._key(each), before, count, window) for each in indexes]
        replies = await await_ledger(self._trips.ask(*commands))
        return [_read_places(each, reply, before)[:count] for each, reply in zip(indexes, replies, strict=True)]

    async def _walk_chain(self, key: str, before: str, count: int) -> list[Place]:
        """Read a chain backwards; a position is how many ids stand before it."""
        [size] = [int(before) * ID_CHARACTERS] if before else await await_ledger(self._trips.ask(("STRLEN", key)))
        start = max(0, size // ID_CHARACTERS - count)
        if not size:
            return []
        [raw] = await await_ledger(self._trips.ask(("GETRANGE", key, start * ID_CHARACTERS, size - 1)))
        places = [Place(each, str(position)) for position, each in enumerate(split_ids(raw), start)]
        return places[::-1]

    def _key(self, index: Index) -> str:
        return self._prefix + _KEYS[index.kind].format(index.name)


def _ask_size(index: Index, key: str) -> tuple[Command, ...]:
    if index.kind in _STREAMS:
        return ("XLEN", key), ("XREVRANGE", key, "+", "-", "COUNT", SAMPLE)
    return (("STRLEN" if index.kind == "chain" else "ZCARD", key),)


def _read_size(index: Index, replies: Sequence[Any]) -> int:
    """Read a size; that of a stream from how many ids its newest entries hold."""
    size, *samples = replies
    if index.kind == "chain":
        return int(size) // ID_CHARACTERS
    if not samples or not samples[0]:
        return int(size)
    held = sum(len(split_ids(fields[1])) for _, fields in samples[0])
    return int(size) * held // len(samples[0])


def _ask_places(index: Index, key: str, before: str, count: int, window: Window) -> Command:
    since, until = window.since_ms, window.until_ms
    if index.kind in _STREAMS:
        newest = before.partition(".")[0] if before else "+" if until is None else until + SLACK_MS
        # The entry in which a position is comes once more, with the ids that stand before it, or none.
        oldest = "-" if since is None else max(0, since - SLACK_MS)
        return "XREVRANGE", key, newest, oldest, "COUNT", count + bool(before)
    newest = f"({before}" if before else "+" if until is None else f"({name_first(until + 1)}"
    return "ZREVRANGEBYLEX", key, newest, "-" if since is None else f"[{name_first(since)}", "LIMIT", 0, count


def _read_places(index: Index, reply: Any, before: str) -> list[Place]:
    if index.kind in _STREAMS:
        return list(_read_entries(reply, before))
    ids = [each.decode() for each in reply]
    return [Place(each, each) for each in ids]


def _read_entries(entries: Any, before: str) -> Iterator[Place]:
    """Read the ids of entries from the last one on; a position is the id of an entry, and how many stand before it there."""
    entry_before, _, left = before.partition(".")
    for raw, fields in entries:
        entry, ids = raw.decode(), split_ids(fields[1])
        for number in range(int(left) if entry == entry_before else len(ids), 0, -1):
            yield Place(ids[number - 1], f"{entry}.{number - 1}")
