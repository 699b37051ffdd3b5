"""The sweeper: sends what was parked, one process at a time.

What comes in: parked launches that are due. What goes out: their messages, under the same task ids. Whoever sleeps past its
lease finds its token refused and what it holds too old to send.
"""

import asyncio
import time

import structlog

from gateway.backends.outbox.sender import Sender
from gateway.backends.outbox.store import OutboxStore
from gateway.errors import BackendError, BrokerUnavailableError, UncertainPublishError
from gateway.launch.launch import Launch
from gateway.ports import Results, Tally

EVERY_S = 1.0
AT_ONCE = 128
"""Launches of one sweep; the first alone while the broker is away."""
_log = structlog.get_logger("gateway.outbox")


class Sweeper:
    """Empties the outbox of one ledger into one broker."""

    def __init__(self, store: OutboxStore, sender: Sender, results: Results, *, tally: Tally) -> None:
        self._store = store
        self._sender = sender
        self._results = results
        self._tally = tally
        self._is_broker_back = False

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                is_more = await self.sweep() == AT_ONCE
            except BackendError as error:
                _log.warning("sweep_failed", detail=str(error))
                is_more = False
            if not is_more:
                await asyncio.sleep(EVERY_S)

    async def sweep(self) -> int:
        """Send what is due, as much as fits into one sweep; return how much of it left."""
        began = time.monotonic()
        if not self._is_broker_back:
            count = await self._sweep(1, began)
            self._is_broker_back = count > 0
            if not count:
                return 0
        count = await self._sweep(AT_ONCE, began)
        self._is_broker_back = count > 0
        return count

    async def _sweep(self, count: int, began: float) -> int:
        launches = await self._store.take(count=count)
        if not launches:
            return 0
        heard_of = await self._results.find([launch.task_id for launch in launches])
        pairs = zip(launches, heard_of, strict=True)
        not_after = began + self._store.hold_s / 2
        sending = (self._send(launch, not_after, is_known=raw is not None) for launch, raw in pairs)
        sent = sum(await asyncio.gather(*sending))
        if sent:
            _log.info("outbox_swept", sent=sent, fence=self._store.lease.fence)
        return sent

    async def _send(self, launch: Launch, not_after: float, *, is_known: bool) -> bool:
        """Send one launch; tell whether it has left the outbox."""
        try:
            # What a worker has heard of was sent, though nobody saw it confirmed.
            if not is_known:
                await self._sender.send(launch, within_s=self._store.deadline_s, not_after=not_after)
                self._tally.note_resent()
            await self._store.clear(launch.task_id)
        except UncertainPublishError:
            self._tally.note_uncertain()
            return False
        except BrokerUnavailableError:
            if time.monotonic() < not_after:  # later it is in the hands of whoever has the lease by then
                await self._store.release(launch.task_id)
            return False
        return True
