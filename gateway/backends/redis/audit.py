"""The audit in Redis: one stream, bounded, the same for all gateways.

What comes in: deeds, never waited for. What goes out: the same, written together a few times a second, to the stream and to
the log. A process that dies loses what it had not written, a fraction of a second; while the ledger is away a bounded number
waits, and what is lost beyond that is counted and said.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import msgspec
import structlog
from msgspec.structs import replace

from gateway.access.deed import Deed, digest_params
from gateway.backends.redis.ledger import RedisLedger
from gateway.backends.redis.scripts import load_script
from gateway.backends.redis.trips import SharedTrips, await_ledger
from gateway.errors import BackendError

TOGETHER_S: Final = 0.1
BUSY_S: Final = 0.02
"""The same while there are many: what is held for long is cold when it is written, and much at once holds up Redis."""
TOGETHER: Final = 16
"""Records of one entry, at most: an entry costs Redis more than what is in it."""
AT_ONCE: Final = 100 * TOGETHER
"""Records of one write: more would hold up whoever else waits for Redis, and fewer would lag behind a flood of batches."""
ENTRIES: Final = 256
"""Entries of one read."""
MOST_HELD: Final = 20_000
MOST_STRANGERS: Final = 100
"""Addresses of unknown callers that are told apart within a moment: they must not write the audit full."""
KEEP_S: Final = 31_536_000
UNKNOWN: Final = "unauthorized"
APPEND: Final = load_script("audit_append")
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Deed)
_log = structlog.get_logger("gateway.audit")


class RedisAudit:
    """Keeps deeds."""

    def __init__(
        self,
        trips: SharedTrips,
        ledger: RedisLedger,
        *,
        prefix: str,
        limit: int,
        write_lines: Callable[[Sequence[bytes]], None] | None = None,
    ) -> None:
        """`write_lines` gets each record as JSON, for the log."""
        self.lost = 0
        """Records that nobody will find, since the process began."""
        self._said_lost = 0
        self._trips = trips
        self._ledger = ledger
        self._key = f"{prefix}audit"
        self._limit = limit
        self._write_lines = write_lines
        self._noted: list[bytes] = []
        """As JSON, which is a tenth of what it is made of: what was launched a moment ago must not be kept from being freed."""
        self._strangers: dict[str, Deed] = {}
        self._lines: deque[bytes] = deque()

    def note(self, deed: Deed) -> None:
        """Take a deed; it is written soon."""
        if deed.outcome == UNKNOWN:
            self._note_stranger(deed)
        elif len(self._noted) < MOST_HELD:
            self._noted.append(_ENCODER.encode(deed))
        else:
            self.lost += 1

    def sign(self, params: Mapping[str, Any]) -> str | None:
        """Return the digest of params; whatever was launched has an id, for which the deployment's key was asked already."""
        identity = self._ledger.known_identity
        return None if identity is None else digest_params(params, identity=identity)

    async def read(self, before: str | None) -> list[tuple[str, Deed]]:
        """Return the next records behind a position, the newest first, each with its own; none at the end.

        Raises: BackendError.
        """
        entry_id, _, number = ("+", "", "") if before is None else before.partition(".")
        start = f"({entry_id}" if number == "0" else entry_id  # nothing of that entry is left
        [entries] = await await_ledger(self._trips.ask(("XREVRANGE", self._key, start, "-", "COUNT", ENTRIES)))
        found = [each for raw_id, flat in entries for each in _read_entry(raw_id.decode(), flat[1])]
        seen = {f"{entry_id}.{each}" for each in range(int(number or 0), TOGETHER)}
        return [each for each in found if each[0] not in seen]

    async def run(self) -> None:
        """Write what was noted, again and again, until cancelled."""
        pause_s = TOGETHER_S
        while True:
            await asyncio.sleep(pause_s)
            pause_s = BUSY_S if len(self._noted) > TOGETHER else TOGETHER_S
            await self.write()

    async def write(self) -> None:
        """Write what was noted; what cannot be written now is kept for later, as far as there is room."""
        try:
            self._note_strangers()
            self._take_noted()
            while self._lines:
                some = list(islice(self._lines, AT_ONCE))
                entries = (b"\n".join(some[at : at + TOGETHER]) for at in range(0, len(some), TOGETHER))
                await await_ledger(self._trips.ask(("EVAL", APPEND, 0, self._key, self._limit, KEEP_S, *entries)))
                for _ in some:
                    self._lines.popleft()
                if len(self._noted) >= AT_ONCE:  # a flood, which would have filled what is held by the next time
                    self._take_noted()
        except BackendError as error:
            self._make_room(error)
        if self.lost > self._said_lost:
            _log.error("audit_lost", count=self.lost - self._said_lost)
            self._said_lost = self.lost

    def _note_stranger(self, deed: Deed) -> None:
        """Count the refusals of callers that nobody knows, by the address they come from."""
        origin = deed.origin if deed.origin in self._strangers or len(self._strangers) < MOST_STRANGERS else ""
        known = self._strangers.get(origin)
        self._strangers[origin] = (
            replace(deed, origin=origin) if known is None else replace(known, count=known.count + 1)
        )

    def _note_strangers(self) -> None:
        strangers, self._strangers = self._strangers, {}
        self._noted += (_ENCODER.encode(each) for each in strangers.values())

    def _take_noted(self) -> None:
        noted, self._noted = self._noted, []
        self._lines.extend(noted)
        if self._write_lines is not None and noted:
            self._write_lines(noted)

    def _make_room(self, error: BackendError) -> None:
        excess = len(self._lines) - MOST_HELD
        for _ in range(excess):
            self._lines.popleft()
        self.lost += max(0, excess)
        _log.warning("audit_unwritten", detail=str(error), waiting=len(self._lines))


def _read_entry(entry_id: str, content: bytes) -> list[tuple[str, Deed]]:
    """Read the records of an entry, the newest first."""
    deeds = [_DECODER.decode(line) for line in content.split(b"\n")]
    return [(f"{entry_id}.{number}", deeds[number]) for number in reversed(range(len(deeds)))]
