"""Retrying: a task that has ended is launched again under a new id, once, unless somebody insists.

What comes in: the id of a task, and what is set anew. What goes out: a receipt, and whether it was given before. Whoever
retries a task claims it in the same step in which the retry is written: of two clicks, on whichever gateways, one launches.
"""

from typing import Any

from gateway.catalog.view import View
from gateway.errors import TaskUnfinishedError
from gateway.flows.following import tell
from gateway.flows.launching import Accepted, Key, accept, name_launch
from gateway.flows.publishing import publish
from gateway.flows.services import Services
from gateway.launch.idempotency import claim_retry, make_claim
from gateway.launch.launch import LedgerEntry, write_receipt
from gateway.launch.offer import Offer
from gateway.launch.repeat import repeat
from gateway.launch.request import RetryBody
from gateway.launch.trace import Trace
from gateway.status.interpreting import is_final


async def retry(
    task_id: str,
    body: RetryBody,
    view: View,
    services: Services,
    *,
    prefix: str,
    key: Key | None = None,
    trace: Trace | None = None,
) -> Accepted:
    """Launch a finished task again, with its params checked against today's schema; its trace is that of the retry.

    Raises: UnknownTaskError, ForgottenTaskError; ForbiddenError; TaskUnfinishedError; LaunchError; BackendError.
    """
    due = services.find_due()
    async with services.in_time(due):
        remembered, record = await services.recall(task_id, view)
        _check_rights(remembered.entry.task_type, body, view)
        status = await tell(remembered, record, services, prefix=prefix)
        identity = await services.ledger.identity()
    if not is_final(status):
        raise TaskUnfinishedError(status.status)
    offer = offer_retry(
        remembered.entry,
        body.params,
        view,
        services,
        prefix=prefix,
        force=body.force,
        key=key,
        identity=identity,
        trace=trace,
    )
    outcomes = await publish([offer], services, due=due)
    return await accept(offer, outcomes[0], services, prefix=prefix, due=due)


def _check_rights(task_type: str, body: RetryBody, view: View) -> None:
    """Let those retry who may: with params of their own only where they may launch, too.

    Raises: ForbiddenError.
    """
    view.require("retry", task_type)
    if body.params:
        view.require("launch", task_type)


def offer_retry(
    entry: LedgerEntry,
    overrides: dict[str, Any],
    view: View,
    services: Services,
    *,
    prefix: str,
    force: bool,
    key: Key | None,
    identity: bytes,
    trace: Trace | None,
) -> Offer:
    """Offer a recorded launch once more; a caller's own key, if there is one, is asked for before the task's.

    Raises: LaunchError.
    """
    repeated = repeat(entry, overrides, view.catalog, caller=view.caller.id, now=services.clock())
    launch = name_launch(repeated, services, identity, trace=trace)
    receipt = write_receipt(launch, prefix=prefix)
    own = claim_retry(launch, receipt, source=entry, overrides=overrides, force=force, identity=identity)
    if key is None:
        return Offer(launch=launch, claims=(own,))
    callers = make_claim(launch, receipt, key=key.key, caller=key.caller, options={}, identity=identity)
    return Offer(launch=launch, claims=(callers, own))
