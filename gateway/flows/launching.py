"""Launching: one task or a batch, from a wish to a receipt.

What comes in: wishes. What goes out: receipts, and whether they are new.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from gateway.catalog.view import View
from gateway.errors import (
    Allowance,
    BackendError,
    ConcurrencyLimitError,
    GatewayError,
    LaunchError,
    QueueFullError,
    RateLimitedError,
    RefusedParamsError,
    WithheldError,
)
from gateway.flows.heeding import find_refusal, heed
from gateway.flows.publishing import publish
from gateway.flows.revoking import Stop, revoke_all
from gateway.flows.services import Services
from gateway.launch.batch import BatchBody, gather_faults, read_item
from gateway.launch.idempotency import join, make_claim, replay
from gateway.launch.launch import DryRun, Launch, Receipt, show_dry_run, write_joined_receipt, write_receipt
from gateway.launch.offer import PUBLISHED, Held, Known, Limited, Offer, Outcome, Published, QueueFull, Withheld
from gateway.launch.prepare import Wish, prepare
from gateway.launch.quota import round_up, show_allowances
from gateway.launch.task_id import ENTROPY_BYTES, mint
from gateway.launch.trace import Trace

TURN = 128
"""Items of a batch that are worked on without a pause: about a millisecond."""
_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


class Key(Struct, frozen=True, kw_only=True):
    """A caller's Idempotency-Key."""

    key: str
    caller: str


class Accepted(Struct, frozen=True):
    """A receipt, whether it was given before, and what is left."""

    receipt: Receipt
    is_replay: bool = False
    launch: Launch | None = None
    """What was launched, where something was."""
    allowances: tuple[Allowance, ...] = ()
    """What it left of the caller's quotas, where there are any."""


async def launch(
    wish: Wish,
    view: View,
    services: Services,
    *,
    prefix: str,
    key: Key | None = None,
    trace: Trace | None = None,
) -> Accepted:
    """Launch a task, as a part of a trace if there is one: validate, mint its id, record and publish; under a key, at most once.

    Raises: LaunchError when the wish is refused; BackendError when the ledger or the broker does not answer.
    """
    due = services.find_due()
    prepared = _prepare(wish, view, now=services.clock())
    identity = services.ledger.known_identity or await services.ledger.identity()
    named = name_launch(prepared, services, identity, trace=trace)
    offer = Offer(launch=named) if key is None else _claim(named, key, wish, prefix=prefix, identity=identity)
    outcomes = await publish([offer], services, due=due)
    return await accept(offer, outcomes[0], services, prefix=prefix, due=due)


async def launch_batch(
    batch: BatchBody, view: View, services: Services, *, prefix: str, trace: Trace | None = None
) -> tuple[str, list[Accepted | GatewayError]]:
    """Launch the items of a batch; its id, and for each item, in their order, what was accepted or why nothing was.

    Raises: RefusedParamsError with every fault of every item, if one depends on all and any is not sound.
    """
    now, due = services.clock(), services.find_due()
    prepared = await _do_in_turns(lambda item: _prepare_item(item, view, now), batch.items)
    sound = [each for each in prepared if isinstance(each, Launch)]
    if batch.all_or_nothing and len(sound) < len(prepared):
        raise RefusedParamsError(tuple(gather_faults(prepared)))
    identity = await services.ledger.identity()
    batch_id = _mint(now, services, identity)
    name = partial(name_launch, services=services, identity=identity, batch_id=batch_id, trace=trace)
    offers = await _do_in_turns(lambda each: Offer(launch=name(each)), sound)
    outcomes = await publish(offers, services, due=due, all_or_nothing=batch.all_or_nothing)
    pairs = zip(offers, outcomes, strict=True)
    answers = iter([await _accept_item(*pair, services, prefix=prefix, due=due) for pair in pairs])
    told = [next(answers) if isinstance(each, Launch) else each for each in prepared]
    for each in told:
        if isinstance(each, GatewayError):
            services.tally.note_refusal(each.code)
    return batch_id, told


async def _do_in_turns(do: Callable[[_Item], _Done], items: Sequence[_Item]) -> list[_Done]:
    """Do something for every item of a batch, which must neither hold up the launches of others nor leave Redis idle."""
    done: list[_Done] = []
    for start in range(0, len(items), TURN):
        done += [do(item) for item in items[start : start + TURN]]
        await asyncio.sleep(0)
    return done


def rehearse(wish: Wish, view: View, services: Services) -> DryRun:
    """Do all of a launch but the launch.

    Raises: LaunchError when the wish is refused.
    """
    launch = heed(_prepare(wish, view, now=services.clock()), services)
    if refusal := find_refusal(launch):
        raise refusal
    return show_dry_run(launch)


def _prepare(wish: Wish, view: View, *, now: datetime) -> Launch:
    """Decide what is launched, once it is clear that it may be.

    Raises: UnknownTaskTypeError; ForbiddenError; RefusedParamsError.
    """
    view.require("launch", wish.task_type)
    return prepare(wish, view.catalog, caller=view.caller.id, now=now)


def _prepare_item(item: object, view: View, now: datetime) -> Launch | LaunchError:
    try:
        return _prepare(read_item(item), view, now=now)
    except LaunchError as error:
        return error


def _claim(launch: Launch, key: Key, wish: Wish, *, prefix: str, identity: bytes) -> Offer:
    receipt = write_receipt(launch, prefix=prefix)
    claim = make_claim(launch, receipt, key=key.key, caller=key.caller, options=wish.options, identity=identity)
    return Offer(launch=launch, claims=(claim,))


def name_launch(
    prepared: Launch, services: Services, identity: bytes, *, trace: Trace | None, batch_id: str | None = None
) -> Launch:
    """Give a launch its id and its trace, the last things that are decided of it but for what is to be said of the workers."""
    heeded = heed(prepared, services)
    return replace(heeded, task_id=_mint(prepared.launched_at, services, identity), batch_id=batch_id, trace=trace)


def _mint(moment: datetime, services: Services, identity: bytes) -> str:
    entropy = services.draw_entropy(ENTROPY_BYTES)
    return mint(now_ms=int(moment.timestamp() * 1000), entropy=entropy, identity=identity)


async def accept(offer: Offer, outcome: Outcome, services: Services, *, prefix: str, due: float) -> Accepted:
    """Answer an outcome.

    Raises: LaunchError or BackendError for one that is no launch.
    """
    if outcome is PUBLISHED:
        return Accepted(write_receipt(offer.launch, prefix=prefix), launch=offer.launch)
    match outcome:
        case Published(replaced=replaced, is_parked=is_parked, rooms=rooms):
            receipt = write_receipt(offer.launch, prefix=prefix)
            if is_parked:
                receipt = replace(
                    receipt, message=f"{receipt.message}: its broker is away, and gets it when it is back"
                )
            if replaced:
                receipt = await _replace(receipt, replaced, services, due=due)
            allowances = show_allowances(offer.launch.quotas, rooms)
            return Accepted(receipt, launch=offer.launch, allowances=allowances)
        case Known(remembrance=remembrance, number=number):
            return Accepted(replay(offer.claims[number], remembrance), is_replay=True)
        case Held(holders=holders):
            async with services.in_time(due):
                return await _join(offer, holders, services, prefix=prefix)
        case QueueFull(depth=depth):
            raise QueueFullError(depth)
        case Limited():
            raise _limit(offer, outcome)
        case Withheld():
            raise WithheldError
        case _:
            raise outcome


def _limit(offer: Offer, limited: Limited) -> RateLimitedError:
    allowances = show_allowances(offer.launch.quotas, limited.rooms)
    retry_after_s = round_up(limited.wait_ms)
    return RateLimitedError(allowances[limited.number], retry_after_s=retry_after_s, allowances=allowances)


async def _accept_item(
    offer: Offer, outcome: Outcome, services: Services, *, prefix: str, due: float
) -> Accepted | GatewayError:
    try:
        return await accept(offer, outcome, services, prefix=prefix, due=due)
    except GatewayError as error:
        return error


async def _join(offer: Offer, holders: tuple[str, ...], services: Services, *, prefix: str) -> Accepted:
    """Answer with the receipt of the oldest holder, where the policy says so.

    Raises: ConcurrencyLimitError where it does not, or where the holder is no longer remembered.
    """
    slot = offer.launch.slot
    [remembered] = await services.ledger.find(holders[:1])
    if slot is None or slot.on_conflict != "join_existing" or remembered is None:
        raise ConcurrencyLimitError(holders)
    receipt = write_joined_receipt(remembered.entry, prefix=prefix)
    for claim in offer.claims:
        known = await services.ledger.keep(join(claim, receipt))
        if known is not None:
            return Accepted(replay(claim, known), is_replay=True)
    return Accepted(receipt)


async def _replace(receipt: Receipt, replaced: tuple[str, ...], services: Services, *, due: float) -> Receipt:
    """Take back the tasks that lost their slot, or have them stopped; the ledger holds their revokes already."""
    with suppress(BackendError):  # the launch is a fact, and the revoke stays on record
        async with services.in_time(due):
            await revoke_all(replaced, services, stop=Stop(terminate=True))
    return replace(receipt, replaced=replaced)
