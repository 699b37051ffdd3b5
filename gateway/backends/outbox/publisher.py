"""The outbox: a launch is a fact once its row is written; its message leaves right after, or when the broker is back.

What comes in: offers. What goes out: rows, each with its message parked beside it until the broker has confirmed it. A
launch with secrets is never parked, as nothing but a message to a worker may hold them: it happens at once or not at all.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog
from msgspec.structs import replace

from gateway.backends.outbox.sender import Sender
from gateway.backends.outbox.store import HOLD_S, OutboxStore
from gateway.backends.redis.orders import Parking
from gateway.errors import BackendError, BrokerUnavailableError, UncertainPublishError
from gateway.killpoints import reach
from gateway.launch.launch import Launch
from gateway.launch.offer import Offer, Outcome, Published, QueueFull, Withheld
from gateway.launch.withdrawal import Taking, Withdrawal
from gateway.ports import Revocation

PASSING = frozenset({"broker_unavailable", "broker_busy"})
"""Failures that end by themselves; any other one would meet the message again."""
AWAY_S = 1.0
"""How long a broker that failed is left alone."""
_log = structlog.get_logger("gateway.outbox")


class OutboxPublisher:
    """Records launches in the ledger, and sends their messages through any broker."""

    def __init__(
        self, store: OutboxStore, sender: Sender, *, limit: int, find_depth: Callable[[str], int | None]
    ) -> None:
        """Take the ledger's side and the broker's; `find_depth` tells how many messages wait in a queue, if known."""
        self._store = store
        self._sender = sender
        self._limit = limit
        self._find_depth = find_depth
        self._away_until = 0.0

    async def publish(self, offers: Sequence[Offer], *, all_or_nothing: bool = False) -> list[Outcome]:
        """Record offers and send their messages; the outcomes come in their order."""
        refused = [self._refuse(offer) for offer in offers]
        if all_or_nothing and any(refused):
            return [refusal or Withheld() for refusal in refused]
        allowed = [offer for offer, refusal in zip(offers, refused, strict=True) if refusal is None]
        recorded = await self._store.record(allowed, park=self._park, all_or_nothing=all_or_nothing)
        pairs = zip(allowed, recorded, strict=True)
        settled = iter(await asyncio.gather(*(self._hand_over(offer, outcome) for offer, outcome in pairs)))
        return [next(settled) if refusal is None else refusal for refusal in refused]

    async def withdraw(self, wanted: Sequence[Withdrawal], wish: Revocation) -> dict[str, Taking]:
        """Take back what waits in the outbox, then what waits in the broker, as far as it gives any back."""
        taken: dict[str, Taking] = dict.fromkeys(
            await self._store.unpark([each.task_id for each in wanted], wish), "confirmed"
        )
        rest = [each for each in wanted if each.task_id not in taken]
        try:
            given_back = await self._sender.withdraw(rest, wish)
        except BrokerUnavailableError:  # then what is in it stays there
            return taken
        if given_back:
            await self._store.note_taken(given_back, wish)
        return taken | given_back

    def _refuse(self, offer: Offer) -> Outcome | None:
        """Find what speaks against an offer before it is recorded."""
        launch = offer.launch
        if self._is_away() and not is_parkable(launch):
            return BrokerUnavailableError("the broker is away, and a launch with secrets cannot wait for it")
        depth = None if launch.max_queued is None else self._find_depth(launch.queue)
        if depth is not None and launch.max_queued is not None and depth >= launch.max_queued:
            return QueueFull(depth=depth)
        return None

    def _park(self, launch: Launch) -> Parking | None:
        if not is_parkable(launch):
            return None
        return Parking(hold_ms=0 if self._is_away() else int(HOLD_S * 1000), limit=self._limit)

    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until

    async def _hand_over(self, offer: Offer, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Published):
            return outcome
        if not is_parkable(offer.launch):
            return await self._send_or_forget(offer, outcome)
        if self._is_away():
            return replace(outcome, is_parked=True)
        return await self._send_or_park(offer, outcome)

    async def _send_or_park(self, offer: Offer, outcome: Published) -> Outcome:
        launch = offer.launch
        try:
            await self._send(launch)
        except UncertainPublishError:
            self._leave_alone()
            return replace(outcome, is_parked=True)
        except BrokerUnavailableError as error:
            if error.code not in PASSING:
                await self._forget(offer)
                return error
            self._leave_alone()
            await self._try(self._store.release(launch.task_id), launch)
            return replace(outcome, is_parked=True)
        await self._try(self._store.clear(launch.task_id), launch)
        reach("cleared")
        return outcome

    async def _send_or_forget(self, offer: Offer, outcome: Published) -> Outcome:
        try:
            await self._send(offer.launch)
        except UncertainPublishError as error:
            await self._try(self._store.settle(offer, "uncertain"), offer.launch)
            return error
        except BrokerUnavailableError as error:
            await self._forget(offer)
            return error
        await self._try(self._store.settle(offer, "done"), offer.launch)
        return outcome

    async def _send(self, launch: Launch) -> None:
        reach("before_confirm")
        await self._sender.send(launch, not_after=time.monotonic() + HOLD_S / 2)
        reach("confirmed")

    async def _forget(self, offer: Offer) -> None:
        await self._try(self._store.forget(offer), offer.launch)

    async def _try(self, writing: Awaitable[None], launch: Launch) -> None:
        """Write down what is a fact already; the sweeper makes good what cannot be written now."""
        try:
            await writing
        except BackendError as error:
            _log.warning("outbox_unsettled", task_id=launch.task_id, detail=str(error))

    def _leave_alone(self) -> None:
        self._away_until = time.monotonic() + AWAY_S


def is_parkable(launch: Launch) -> bool:
    """Tell whether a launch may wait in the ledger: nothing secret in it."""
    return not launch.secret_names & launch.params.keys()
