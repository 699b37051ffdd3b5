"""Publishing offers: asked for until it is known which can happen.

What comes in: offers. What goes out: an outcome for each. A slot that is taken by a task that has ended is free: its holders are
asked for when somebody wants it, and never before.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence

from msgspec.structs import replace

from gateway.errors import BackendError, UncertainPublishError
from gateway.flows.heeding import find_refusal, refuse
from gateway.flows.services import Services
from gateway.launch.offer import PUBLISHED, Held, Offer, Outcome, Published, Withheld
from gateway.ports import Found, Remembered
from gateway.status.lifecycle import CELERY_FINAL, choose_status
from gateway.status.record import read_found

ROUNDS = 4
"""How often a slot is asked for again, when its holders turn out to have ended."""


def publish(
    offers: Sequence[Offer], services: Services, *, due: float, all_or_nothing: bool = False
) -> Awaitable[list[Outcome]]:
    """Publish offers but those that are refused for want of workers.

    Raises: LedgerUnavailableError when some are, and nobody can tell whether they happened before.
    """
    choose = _publish_some if [offer for offer in offers if offer.launch.warnings] else _publish
    return choose(offers, services, due=due, all_or_nothing=all_or_nothing)


async def _publish_some(
    offers: Sequence[Offer], services: Services, *, due: float, all_or_nothing: bool
) -> list[Outcome]:
    refused: dict[int, Outcome] = {
        index: await refuse(offer, refusal, services)
        for index, offer in enumerate(offers)
        if (refusal := find_refusal(offer.launch))
    }
    if refused and all_or_nothing:
        return [refused.get(index, Withheld()) for index in range(len(offers))]
    wanted = [offer for index, offer in enumerate(offers) if index not in refused]
    published = iter(await _publish(wanted, services, due=due, all_or_nothing=all_or_nothing) if wanted else ())
    return [refused[index] if index in refused else next(published) for index in range(len(offers))]


async def _publish(offers: Sequence[Offer], services: Services, *, due: float, all_or_nothing: bool) -> list[Outcome]:
    """Publish offers; those whose slots are held are offered again once it is known which holders have ended."""
    if services.is_just_begun(due):  # a publisher has a deadline of its own
        outcomes = await services.publisher.publish(offers, all_or_nothing=all_or_nothing)
    else:
        outcomes = await _publish_by(due, offers, services, all_or_nothing=all_or_nothing)
    if outcomes.count(PUBLISHED) == len(outcomes):
        for offer in offers:
            services.tally.note_launch(offer.launch.task_type)
        return outcomes
    return await _settle(offers, outcomes, services, due=due, all_or_nothing=all_or_nothing)


async def _settle(
    offers: Sequence[Offer], outcomes: list[Outcome], services: Services, *, due: float, all_or_nothing: bool
) -> list[Outcome]:
    """Settle what did not happen at once."""
    for _ in range(ROUNDS):
        held = [outcome for outcome in outcomes if isinstance(outcome, Held)]
        if not held:
            break
        holders = {holder for outcome in held for holder in outcome.holders}
        finished = await _find_finished(holders, services, due=due)
        again = _choose_again(offers, outcomes, finished, all_or_nothing=all_or_nothing)
        if not again:
            break
        renewed = [replace(offers[index], finished=tuple(finished), may_replace=True) for index in again]
        answers = await _publish_by(due, renewed, services, all_or_nothing=all_or_nothing)
        for index, answer in zip(again, answers, strict=True):
            outcomes[index] = answer
    for offer, outcome in zip(offers, outcomes, strict=True):
        if isinstance(outcome, Published):
            services.tally.note_launch(offer.launch.task_type)
        elif isinstance(outcome, UncertainPublishError):
            services.tally.note_uncertain()
    return outcomes


async def _publish_by(
    due: float, offers: Sequence[Offer], services: Services, *, all_or_nothing: bool
) -> list[Outcome]:
    try:
        async with asyncio.timeout_at(due):
            return await services.publisher.publish(offers, all_or_nothing=all_or_nothing)
    except TimeoutError:
        return [UncertainPublishError(offer.launch.task_id) for offer in offers]


def _choose_again(
    offers: Sequence[Offer], outcomes: list[Outcome], finished: set[str], *, all_or_nothing: bool
) -> list[int]:
    """Choose the offers worth another try; of those that depend on each other all or none."""
    pairs = list(zip(offers, outcomes, strict=True))
    may = [_may_happen(offer, outcome, finished) for offer, outcome in pairs]
    if not all_or_nothing:
        return [index for index, each in enumerate(may) if each]
    may_all = all(each or isinstance(outcome, Withheld) for each, (_, outcome) in zip(may, pairs, strict=True))
    return list(range(len(outcomes))) if may_all else []


def _may_happen(offer: Offer, outcome: Outcome, finished: set[str]) -> bool:
    if not isinstance(outcome, Held) or offer.launch.slot is None:
        return False
    return offer.launch.slot.on_conflict == "replace" or not finished.isdisjoint(outcome.holders)


async def _find_finished(holders: Iterable[str], services: Services, *, due: float) -> set[str]:
    """Find the tasks that have ended; while the result backend is away, none is known to have."""
    ids = sorted(holders)
    try:
        async with services.in_time(due):
            asked, also_asked = services.ledger.find(ids), services.results.find(ids)
            known = list(zip(ids, await asked, await also_asked, strict=True))
    except BackendError:
        return set()
    return {task_id for task_id, row, raw in known if _has_ended(row, raw)}


def _has_ended(remembered: Remembered | None, raw: Found | None) -> bool:
    record = None if raw is None else read_found(raw)
    if remembered is not None:
        return choose_status(remembered, record) in CELERY_FINAL
    return record is not None and record.status in CELERY_FINAL
