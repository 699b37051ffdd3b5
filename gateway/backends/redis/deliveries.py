"""The messages of a Redis broker, looked after by one gateway at a time: which are gone, and sending them again.

Nothing here walks a whole queue, except `search`, which is asked before anything is sent again. Where ledger and broker are
one Redis the last look and the push are one step; elsewhere nothing is pushed once the right to do so may have been lost.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from gateway.backends.redis.connection import guarded
from gateway.backends.redis.lease import Lease
from gateway.backends.redis.message import Lanes, build_message, mark_redelivered
from gateway.backends.redis.scripts import load_script
from gateway.errors import BrokerUnavailableError, LedgerUnavailableError
from gateway.launch.launch import Launch
from gateway.launch.task_id import name_first
from gateway.ports import End, Missing, MissingSlice

LEASE_S: Final = 10.0
OLDEST: Final = 128
"""Messages at the end of each list that are looked at."""
CHUNK: Final = 1000
"""Elements of one step of a search: some two milliseconds of Redis."""
FRESH_S: Final = 2.0
"""A launch that is younger is not looked at: its message may be on its way."""
UNACKED: Final = "unacked"
SURVEY: Final = load_script("read_id", "survey")
MISSING: Final = load_script("claims", "missing")
HELD: Final = load_script("held")
HUNT: Final = load_script("read_id", "hunt")
RECONCILE: Final = load_script("tell", "settle", "claims", "read_id", "reconcile")
_encode = msgspec.json.Encoder().encode


class RedisDeliveries:
    """Looks into the lists of the queues, and at the claims of workers."""

    def __init__(
        self,
        ledger: Redis,
        broker: Redis,
        *,
        prefix: str,
        lanes: Lanes,
        origin: str,
        name_queues: Callable[[], Iterable[str]],
        deadline_s: float,
        lease_s: float = LEASE_S,
    ) -> None:
        """Take the two clients, which may be one; `name_queues` names the queues of the present catalog."""
        self._broker = broker
        self._is_one = ledger is broker
        self._prefix = prefix
        self._lanes = lanes
        self._origin = origin
        self._name_queues = name_queues
        self._others: set[str] = set()
        self._deadline_s = deadline_s
        self._lease_s = lease_s
        self._lease = Lease(ledger, key=f"{prefix}reconciler", lease_s=lease_s)
        self._unacked = lanes.key_prefix + UNACKED

    async def find_missing(self, after: str, *, count: int) -> MissingSlice | None:
        """Look at the next open tasks behind one."""
        before = name_first(int(1000 * (time.time() - FRESH_S)))
        return await self._look({"after": after, "before": before, "count": count})

    async def look_again(self, task_ids: Sequence[str]) -> list[Missing]:
        """Return which of some tasks are still missing."""
        found = await self._look({"ids": task_ids}) if task_ids else None
        return [] if found is None else list(found.missing)

    async def _look(self, request: dict[str, Any]) -> MissingSlice | None:
        """Look at the queues first: what leaves them meanwhile has not left them yet."""
        queues = sorted(self._others.union(self._name_queues()))
        names = [name for queue in queues for name in self._lanes.list_all(queue)]
        async with self._asking(BrokerUnavailableError, "the broker"):
            surveyed = await self._broker.eval(SURVEY, 0, OLDEST, *names)
        lists = {name: [word.decode() for word in words] for name, words in zip(names, surveyed, strict=True)}
        lanes = self._lanes
        request |= {
            "lists": lists, "head": lanes.key_prefix, "separator": lanes.separator, "steps": lanes.steps,
        }  # fmt: skip
        async with self._asking(LedgerUnavailableError, "the ledger"):
            answer = await self._lease.run(MISSING, self._prefix, _encode(request))
        if answer is None:
            return None
        following, exact, known, unsurveyed, *words = answer
        self._others |= {each.decode() for each in unsurveyed}
        missing = [_read_missing(*words[at : at + 3]) for at in range(0, len(words), 3)]
        held = await self._find_held([each.task_id for each in missing])
        return MissingSlice(
            missing=tuple(each for each in missing if each.task_id not in held),
            following=following.decode(),
            exact=frozenset(each.decode(errors="replace") for each in exact),
            known=frozenset(each.decode(errors="replace") for each in known),
        )

    async def _find_held(self, task_ids: Sequence[str]) -> set[str]:
        if not task_ids:
            return set()
        async with self._asking(BrokerUnavailableError, "the broker"):
            held: Any = await self._broker.eval(HELD, 0, self._unacked, *task_ids)
        return {each.decode() for each in held}

    async def search(self, queues: Mapping[str, str]) -> frozenset[str]:
        """Return which tasks are found: in the lists of their queues, then in hand, and once more where messages are put back.

        A list is searched from its head: what is pushed meanwhile only moves the rest to where it is looked for.
        """
        found: set[str] = set()
        for queue in sorted(set(queues.values())):
            wanted = [task_id for task_id, other in queues.items() if other == queue]
            for name in self._lanes.list_all(queue):
                found |= await self._hunt_list(name, wanted)
        found |= await self._hunt_held(list(queues))
        for queue in sorted(set(queues.values())):
            for name in self._lanes.list_all(queue):
                for end in (0, -CHUNK):
                    found |= (await self._hunt(name, end, list(queues)))[1]
        return frozenset(found)

    async def _hunt_list(self, name: str, wanted: Sequence[str]) -> set[str]:
        found: set[str] = set()
        first, length = 0, 1
        while first < length:
            length, some = await self._hunt(name, first, wanted)
            found |= some
            first += CHUNK * 9 // 10  # what others remove in between moves those behind it
        return found

    async def _hunt_held(self, wanted: Sequence[str]) -> set[str]:
        cursor, found = await self._hunt(self._unacked, 0, wanted)
        while cursor:
            cursor, some = await self._hunt(self._unacked, cursor, wanted)
            found |= some
        return found

    async def _hunt(self, key: str, first: int, wanted: Sequence[str]) -> tuple[int, set[str]]:
        async with self._asking(BrokerUnavailableError, "the broker"):
            following, *found = await self._broker.eval(HUNT, 0, key, first, CHUNK, *wanted)
        return int(following), {each.decode() for each in found}

    async def redeliver(self, launch: Launch, *, retries: int) -> bool:
        """Send the message of a launch again."""
        began = time.monotonic()
        message = mark_redelivered(build_message(launch, origin=self._origin), retries=retries)
        if not await self._do(launch, "", "", message):
            return False
        if self._is_one:
            return True
        if time.monotonic() - began > self._lease_s / 2:  # another gateway may be about to send it
            return False
        async with self._asking(BrokerUnavailableError, "the broker"):
            await self._broker.rpush(self._lanes.choose(launch.queue, launch.priority), message)
        return True

    async def conclude(self, launch: Launch, end: End) -> bool:
        """Write down how a task ended that nobody will run."""
        return await self._do(launch, _encode(end), end.status, "")

    async def _do(self, launch: Launch, value: bytes | str, status: str, message: bytes | str) -> bool:
        """Run the script; where the broker is another Redis, without a look at it."""
        name = self._lanes.choose(launch.queue, launch.priority) if self._is_one else ""
        words = (launch.task_id, datetime.now(UTC).isoformat(), value, status, name, message, self._unacked)
        async with self._asking(LedgerUnavailableError, "the ledger"):
            return bool(await self._lease.run(RECONCILE, self._prefix, *words))

    def _asking(
        self, failure: type[BrokerUnavailableError | LedgerUnavailableError], what: str
    ) -> AbstractAsyncContextManager[None]:
        return guarded(failure, what, deadline_s=self._deadline_s)


def _read_missing(task_id: bytes, retries: int, is_holder_dead: int) -> Missing:
    return Missing(task_id=task_id.decode(), retries=int(retries), is_holder_dead=bool(is_holder_dead))
