"""Taking messages back out of a Redis broker, before a worker has them.

What comes in: tasks and the names of their queues. What goes out: which messages were taken, and what that means. Each step
costs Redis a few milliseconds, however long the queues are; all of them together end within a budget.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from redis.asyncio import Redis

from gateway.backends.redis.connection import guarded
from gateway.backends.redis.message import Lanes
from gateway.backends.redis.scripts import load_script
from gateway.errors import BrokerUnavailableError
from gateway.launch.withdrawal import Taking, Withdrawal
from gateway.ports import Revocation

WITHDRAW: Final = load_script("tell", "revocation", "read_id", "withdraw")
BUDGET: Final = 0.5
"""Of the deadline, the share that the search may take."""
AT_ONCE: Final = 16
"""Tasks that one step looks for where they should be."""
CHUNK: Final = 1000
"""Elements that one step searches."""
OVERLAP: Final = 64
"""Elements that two steps share: what others remove in between moves those behind it."""
PASSES: Final = 2
_UNACKED: Final = ("unacked", "unacked_index")
_encode = msgspec.json.Encoder().encode


class QueueSearch:
    """Finds messages in the lists of queues, and removes them."""

    def __init__(self, client: Redis, *, lanes: Lanes, deadline_s: float, ledger_prefix: str = "") -> None:
        """With a `ledger_prefix` the ledger is in the same Redis: what is taken is noted there in the same step."""
        self._client = client
        self._lanes = lanes
        self._deadline_s = deadline_s
        self._ledger_prefix = ledger_prefix

    async def withdraw(self, wanted: Sequence[Withdrawal], wish: Revocation) -> dict[str, Taking]:
        """Take the messages of tasks; of those that are not found, or not found in time, nothing is said.

        Raises: BrokerUnavailableError.
        """
        errand = _Errand(wish, until=time.monotonic() + self._deadline_s * BUDGET)
        async with guarded(BrokerUnavailableError, "the broker", deadline_s=self._deadline_s):
            for queue in sorted({each.queue for each in wanted}):
                errand.turn_to(each for each in wanted if each.queue == queue)
                lists = self._lanes.list_all(queue)
                await self._look(lists, errand)
                await self._search(lists, errand)
        return errand.taken

    async def _look(self, lists: Sequence[str], errand: "_Errand") -> None:
        """Look where the messages should be; those of one time are found together."""
        ids = sorted(errand.missing)
        for start in range(0, len(ids), AT_ONCE):
            if errand.has_time():
                await self._step(lists, ids[start : start + AT_ONCE], errand)

    async def _search(self, lists: Sequence[str], errand: "_Errand") -> None:
        """Search the lists from their heads: what is pushed meanwhile only moves the rest to where it is searched.

        One that runs is in no queue; were it in one, no worker would run it, as all were told of the revoke.
        """
        for name in [*lists] * PASSES:
            first, length = 0, 1
            while first < length and (ids := sorted(errand.missing - errand.started)) and errand.has_time():
                length = await self._step([name], ids, errand, first=first)
                first += CHUNK - OVERLAP

    async def _step(
        self, lists: Sequence[str], ids: Sequence[str], errand: "_Errand", *, first: int | None = None
    ) -> int:
        """Run the script; return how long the list was that it searched."""
        request = {
            "lists": lists,
            "ids": ids,
            "started": sorted(errand.started.intersection(ids)),
            "first": first,
            "count": CHUNK,
            "unacked": [self._lanes.key_prefix + key for key in _UNACKED],
        }
        arguments = (self._ledger_prefix, _encode(errand.wish), write_moment(), _encode(request))
        length, *answer = await self._client.eval(WITHDRAW, 0, *arguments)
        for task_id, word in zip(answer[::2], answer[1::2], strict=True):
            errand.note(task_id.decode(), word)
        return int(length)


class _Errand:
    """One search under way."""

    def __init__(self, wish: Revocation, *, until: float) -> None:
        self.wish = wish
        self.taken: dict[str, Taking] = {}
        self.missing: set[str] = set()
        self.started: set[str] = set()
        self._until = until

    def turn_to(self, wanted: Iterable[Withdrawal]) -> None:
        """Turn to the tasks of a queue."""
        tasks = list(wanted)
        self.missing = {each.task_id for each in tasks}
        self.started = {each.task_id for each in tasks if each.is_started}

    def has_time(self) -> bool:
        return time.monotonic() < self._until

    def note(self, task_id: str, word: bytes) -> None:
        """Note a message; of two messages of one task, the doubtful one counts."""
        self.missing.discard(task_id)
        if self.taken.get(task_id) != "withdrawn":
            self.taken[task_id] = "withdrawn" if word == b"withdrawn" else "confirmed"


def write_moment() -> bytes:
    """Write the present moment as it stands in a revocation."""
    return _encode(datetime.now(UTC)).strip(b'"')
