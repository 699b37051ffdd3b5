"""The outbox: a launch is a fact once its row is written; its message leaves right after, or when the broker is back.

What comes in: offers. What goes out: rows, each with its message parked beside it until the broker has confirmed it. A
launch with secrets is never parked, as nothing but a message to a worker may hold them: it happens at once or not at all.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial

import structlog
from msgspec import Struct
from msgspec.structs import replace

from gateway.backends.outbox.sender import Sender
from gateway.backends.outbox.store import OutboxStore
from gateway.backends.redis.orders import Parking
from gateway.errors import BackendError, BrokerUnavailableError, UncertainPublishError
from gateway.killpoints import reach
from gateway.launch.launch import Launch
from gateway.launch.offer import Offer, Outcome, Published, QueueFull, Withheld
from gateway.launch.withdrawal import Taking, Withdrawal
from gateway.ports import Revocation, Tally

PASSING = frozenset({"broker_unavailable", "broker_busy"})
"""Failures that end by themselves; any other one would meet the message again."""
AWAY_S = 1.0
"""How long a broker that failed is left alone."""
_log = structlog.get_logger("gateway.outbox")


class Term(Struct, frozen=True, kw_only=True):
    """What one publish has to keep; moments are by the monotonic clock."""

    due: float
    """When whoever waits must have an answer."""
    not_after: float
    """From here on nothing may be sent: the sweeper may take it."""
    is_away: bool
    """Whether the broker was away when it began; told once, as parking and sending must not see it differently."""


class OutboxPublisher:
    """Records launches in the ledger, and sends their messages through any broker."""

    def __init__(
        self, store: OutboxStore, sender: Sender, *, limit: int, tally: Tally, find_depth: Callable[[str], int | None]
    ) -> None:
        """Take the ledger's side and the broker's; `find_depth` tells how many messages wait in a queue, if known."""
        self._store = store
        self._sender = sender
        self._limit = limit
        self._tally = tally
        self._find_depth = find_depth
        self._away_until = 0.0
        self._writing: set[asyncio.Task[None]] = set()

    async def publish(self, offers: Sequence[Offer], *, all_or_nothing: bool = False) -> list[Outcome]:
        """Record offers and send their messages; the outcomes come in their order."""
        term = self._set_term()
        refused = [self._refuse(offer, term) for offer in offers]
        if all_or_nothing and any(refused):
            return [refusal or Withheld() for refusal in refused]
        allowed = [offer for offer, refusal in zip(offers, refused, strict=True) if refusal is None]
        recorded = await self._store.record(allowed, park=partial(self._park, term), all_or_nothing=all_or_nothing)
        pairs = zip(allowed, recorded, strict=True)
        settled = iter(await asyncio.gather(*(self._hand_over(*pair, term) for pair in pairs)))
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

    def _set_term(self) -> Term:
        now = time.monotonic()
        return Term(due=now + self._store.deadline_s, not_after=now + self._store.hold_s / 2, is_away=self._is_away())

    def _refuse(self, offer: Offer, term: Term) -> Outcome | None:
        """Find what speaks against an offer before it is recorded."""
        launch = offer.launch
        if term.is_away and not is_parkable(launch):
            return BrokerUnavailableError("the broker is away, and a launch with secrets cannot wait for it")
        depth = None if launch.max_queued is None else self._find_depth(launch.queue)
        if depth is not None and launch.max_queued is not None and depth >= launch.max_queued:
            return QueueFull(depth=depth)
        return None

    def _park(self, term: Term, launch: Launch) -> Parking | None:
        if not is_parkable(launch):
            return None
        return Parking(hold_ms=0 if term.is_away else int(self._store.hold_s * 1000), limit=self._limit)

    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until

    async def _hand_over(self, offer: Offer, outcome: Outcome, term: Term) -> Outcome:
        if not isinstance(outcome, Published):
            return outcome
        if not is_parkable(offer.launch):
            return await self._send_or_forget(offer, outcome, term)
        if term.is_away:  # as it was when it was parked: by now it may be in the sweeper's hands
            return replace(outcome, is_parked=True)
        return await self._send_or_park(offer, outcome, term)

    async def _send_or_park(self, offer: Offer, outcome: Published, term: Term) -> Outcome:
        launch = offer.launch
        try:
            await self._send(launch, term)
        except UncertainPublishError:
            self._tally.note_uncertain()
            self._leave_alone()
            return replace(outcome, is_parked=True)
        except BrokerUnavailableError as error:
            if error.code not in PASSING:
                await self._write(self._store.forget(offer), launch, term)
                return error
            self._leave_alone()
            if time.monotonic() < term.not_after:  # later it is in the sweeper's hands
                await self._write(self._store.release(launch.task_id), launch, term)
            return replace(outcome, is_parked=True)
        await self._write(self._store.clear(launch.task_id), launch, term)
        reach("cleared")
        return outcome

    async def _send_or_forget(self, offer: Offer, outcome: Published, term: Term) -> Outcome:
        try:
            await self._send(offer.launch, term)
        except UncertainPublishError as error:
            await self._write(self._store.settle(offer, "uncertain"), offer.launch, term)
            return error
        except BrokerUnavailableError as error:
            await self._write(self._store.forget(offer), offer.launch, term)
            return error
        await self._write(self._store.settle(offer, "done"), offer.launch, term)
        return outcome

    async def _send(self, launch: Launch, term: Term) -> None:
        reach("before_confirm")
        within_s = max(0.0, term.due - time.monotonic())
        await self._sender.send(launch, within_s=within_s, not_after=term.not_after)
        reach("confirmed")

    async def _write(self, writing: Coroutine[None, None, None], launch: Launch, term: Term) -> None:
        """Write down what is a fact already; whoever waits for the launch waits no longer for that than it is due."""
        task = asyncio.create_task(self._try(writing, launch))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        await asyncio.wait({task}, timeout=max(0.0, term.due - time.monotonic()))

    async def _try(self, writing: Coroutine[None, None, None], launch: Launch) -> None:
        """The sweeper makes good what cannot be written now."""
        try:
            await writing
        except BackendError as error:
            _log.warning("outbox_unsettled", task_id=launch.task_id, detail=str(error))

    def _leave_alone(self) -> None:
        self._away_until = time.monotonic() + AWAY_S


def is_parkable(launch: Launch) -> bool:
    """Tell whether a launch may wait in the ledger: nothing secret in it."""
    return not launch.secret_names & launch.params.keys()
