"""Retrying and revoking many tasks: the history is walked, and what is found is dealt with step by step.

What comes in: filters. What goes out: counts, and what became of the first thousand tasks. A request stops at a number of
tasks, at its time, or where what it stands on fails; then it says what it did, and going on is another request: whatever was
dealt with is passed over.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec import Struct

from gateway.access.rights import Verb
from gateway.catalog.view import View
from gateway.errors import BackendError, LaunchError
from gateway.flows.ending import write_end
from gateway.flows.history import AT_A_TIME, Walk, begin
from gateway.flows.launching import accept
from gateway.flows.looking import Look
from gateway.flows.publishing import publish
from gateway.flows.retrying import offer_retry
from gateway.flows.revoking import Stop, revoke_all
from gateway.flows.services import Services
from gateway.history.bulk import (
    MOST,
    MOST_ITEMS,
    BulkItem,
    RetryManyAnswer,
    RevokeManyAnswer,
    is_to_revoke,
    read_retry_many,
    read_revoke_many,
)
from gateway.history.cursor import write_cursor
from gateway.history.filters import Filters
from gateway.launch.idempotency import digest_retry
from gateway.launch.offer import Offer, Outcome
from gateway.launch.trace import Trace
from gateway.status.interpreting import Witness, interpret, is_final

CURSOR_AT: Final = "/cursor"
TIME_SHARE: Final = 0.75
"""Of a request's time, after which no further step begins."""

_DONE: Final = frozenset({"retried", "revoked"})


class Dealt(Struct, frozen=True):
    """What became of the tasks of one step; `failure` is what kept it from dealing with all of them."""

    items: list[BulkItem]
    failure: BackendError | None = None


Deal = Callable[[Sequence[Look], float], Awaitable[Dealt]]
"""Deals with the tasks of a step, by when the request must have its answer."""


class _Sum(Struct, frozen=True, kw_only=True):
    items: list[BulkItem]
    is_complete: bool
    cursor: str | None

    def count(self, *outcomes: str) -> int:
        return sum(item.outcome in outcomes for item in self.items)


async def retry_many(
    body: object, view: View, services: Services, *, dry_run: bool, prefix: str, trace: Trace | None = None
) -> RetryManyAnswer:
    """Retry all tasks that match and that the caller may retry, each once and as it was recorded.

    Raises: RefusedParamsError; ForbiddenError; BackendError when nothing could be done.
    """
    read, filters = read_retry_many(body)
    _check_rights(filters, view, "retry")
    identity = await services.ledger.identity()
    retrying = _Retrying(view, services, identity, dry_run=dry_run, prefix=prefix, trace=trace)
    total = await _go(filters, view, services, retrying.deal, verb="retry", cursor=read.cursor)
    matched, retried = len(total.items), total.count("retried")
    return RetryManyAnswer(
        matched=matched,
        retried=retried,
        refused=matched - retried - total.count("matched"),
        items=tuple(total.items[:MOST_ITEMS]),
        is_complete=total.is_complete,
        next_cursor=total.cursor,
        dry_run=dry_run,
    )


async def revoke_many(body: object, view: View, services: Services, *, dry_run: bool) -> RevokeManyAnswer:
    """Revoke all tasks that match, that the caller may revoke, and that have not ended.

    Raises: RefusedParamsError; ForbiddenError; BackendError when nothing could be done.
    """
    read, filters = read_revoke_many(body)
    _check_rights(filters, view, "revoke")

    async def deal(looks: Sequence[Look], due: float) -> Dealt:
        ids = [
            each.remembered.entry.task_id for each in looks if is_to_revoke(each.remembered, terminate=read.terminate)
        ]
        if dry_run:
            return Dealt([BulkItem(task_id=each, outcome="matched") for each in ids])
        async with services.in_time(due):
            done = await revoke_all(ids, services, stop=Stop(terminate=read.terminate))
        finished = set(done.finished)
        known = finished.union(done.revoked)
        pairs = ((each, "finished" if each in finished else "revoked") for each in ids if each in known)
        return Dealt([BulkItem(task_id=each, outcome=outcome) for each, outcome in pairs])

    total = await _go(filters, view, services, deal, verb="revoke", cursor=read.cursor)
    return RevokeManyAnswer(
        matched=len(total.items),
        revoked=total.count("revoked"),
        finished=total.count("finished"),
        items=tuple(total.items[:MOST_ITEMS]),
        is_complete=total.is_complete,
        next_cursor=total.cursor,
        dry_run=dry_run,
    )


def _check_rights(filters: Filters, view: View, verb: Verb) -> None:
    """Tell of a task type that the caller sees whether they may; of others nothing matches, and nothing is told.

    Raises: ForbiddenError.
    """
    task_type = filters.task_type
    if task_type is not None and view.may("see", task_type):
        view.require(verb, task_type)


async def _go(filters: Filters, view: View, services: Services, deal: Deal, *, verb: Verb, cursor: str | None) -> _Sum:
    """Walk and deal until the end, or until it is enough.

    Raises: BackendError when that happens before anything was done.
    """
    due = services.find_due()
    until = due - (1 - TIME_SHARE) * services.deadline_s
    async with services.in_time(due):
        walk = await begin(filters, view, services, verb=verb, cursor=cursor, pointer=CURSOR_AT)
    items: list[BulkItem] = []
    while True:
        before = walk.position
        try:
            async with services.in_time(due):
                step = await walk.step(min(AT_A_TIME, MOST - len(items)))
            dealt = await deal([looked for looked, _ in step.found], due)
        except BackendError as error:
            step, dealt = None, Dealt([], error)
        items += dealt.items
        if dealt.failure is not None and not any(item.outcome in _DONE for item in items):
            raise dealt.failure
        if step is None or dealt.failure is not None:  # the same step again passes over what was dealt with
            return _Sum(items=items, is_complete=False, cursor=_write(walk, before, filters))
        if step.is_last:
            return _Sum(items=items, is_complete=True, cursor=None)
        if len(items) >= MOST or asyncio.get_running_loop().time() > until:
            return _Sum(items=items, is_complete=False, cursor=_write(walk, walk.position, filters))


def _write(walk: Walk, position: str, filters: Filters) -> str | None:
    return write_cursor(walk.source, position, filters) if position else None


class _Retrying:
    """Retries the tasks of a step."""

    def __init__(
        self, view: View, services: Services, identity: bytes, *, dry_run: bool, prefix: str, trace: Trace | None
    ) -> None:
        self._view = view
        self._services = services
        self._identity = identity
        self._is_dry_run = dry_run
        self._prefix = prefix
        self._trace = trace

    async def deal(self, looks: Sequence[Look], due: float) -> Dealt:
        """Retry each task that was never retried."""
        async with self._services.in_time(due):
            wanted = await self._choose(looks)
        items: list[BulkItem] = []
        offers: list[Offer] = []
        for looked in wanted:
            try:
                offers.append(self._offer(looked))
            except LaunchError as error:
                items.append(BulkItem(task_id=looked.remembered.entry.task_id, outcome=error.code))
        if self._is_dry_run:
            return Dealt([*items, *(BulkItem(task_id=_name_source(each), outcome="matched") for each in offers)])
        outcomes = await publish(offers, self._services, due=due) if offers else []
        found = [await self._tell(*pair, due=due) for pair in zip(offers, outcomes, strict=True)]
        failures = (each for each in outcomes if isinstance(each, BackendError))
        return Dealt([*items, *(each for each in found if each is not None)], next(failures, None))

    async def _choose(self, looks: Sequence[Look]) -> list[Look]:
        keys = [digest_retry(each.remembered.entry.task_id, identity=self._identity) for each in looks]
        kept = await self._services.ledger.find_kept(keys)
        pairs = zip(looks, kept, strict=True)
        return [looked for looked, known in pairs if known is None and await self._conclude(looked)]

    async def _conclude(self, looked: Look) -> bool:
        """Tell whether a task has ended for good, which is written down before anything follows from it."""
        remembered = looked.remembered
        if remembered.end is not None:
            return True
        status = interpret(remembered, looked.record, Witness(now=self._services.clock()))
        if not is_final(status):
            return False
        await write_end(status, self._services)
        return True

    def _offer(self, looked: Look) -> Offer:
        return offer_retry(
            looked.remembered.entry,
            {},
            self._view,
            self._services,
            prefix=self._prefix,
            force=False,
            key=None,
            identity=self._identity,
            trace=self._trace,
        )

    async def _tell(self, offer: Offer, outcome: Outcome, *, due: float) -> BulkItem | None:
        """Tell what became of an offer; None where somebody else was faster."""
        task_id = _name_source(offer)
        try:
            accepted = await accept(offer, outcome, self._services, prefix=self._prefix, due=due)
        except (LaunchError, BackendError) as error:
            return BulkItem(task_id=task_id, outcome=error.code)
        if accepted.is_replay:
            return None
        return BulkItem(task_id=task_id, outcome="retried", retried_as=accepted.receipt.task_id)


def _name_source(offer: Offer) -> str:
    lineage = offer.launch.lineage
    return lineage.retry_of if lineage else ""
