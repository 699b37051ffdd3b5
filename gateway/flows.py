"""The flows that cross the ports: launch, follow, revoke, retry.

What comes in: wishes and task ids. What goes out: receipts and statuses. Decisions are made in `launch` and
`status`; here they are only put in order around the awaits.
"""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from gateway.catalog.catalog import Catalog
from gateway.errors import (
    ForgottenTaskError,
    GatewayError,
    LaunchError,
    RefusedParamsError,
    TaskFinishedError,
    TaskUnfinishedError,
    UnknownTaskError,
)
from gateway.launch.batch import BatchBody, gather_faults, read_item
from gateway.launch.idempotency import make_claim, replay
from gateway.launch.launch import DryRun, Launch, Receipt, show_dry_run, write_receipt
from gateway.launch.prepare import Wish, prepare, repeat
from gateway.launch.request import RetryBody
from gateway.launch.task_id import ENTROPY_BYTES, is_minted_here, is_task_id, mint
from gateway.ports import Ledger, Publisher, Remembered, Results, Revocation, Workers
from gateway.status.record import ResultRecord, read_record
from gateway.status.status import FINAL, RevokeAnswer, TaskStatus, interpret, show_revocation


def read_clock() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


class Services(Struct, frozen=True, kw_only=True):
    """What the flows work with; the same for every catalog of a process."""

    publisher: Publisher
    ledger: Ledger
    results: Results
    workers: Workers
    clock: Callable[[], datetime] = read_clock


async def launch(wish: Wish, catalog: Catalog, services: Services) -> Launch:
    """Launch a task: validate, mint its id, record and publish.

    Raises: LaunchError when the wish is refused; BackendError when the ledger or the broker does not answer.
    """
    return await _publish(prepare(wish, catalog, now=services.clock()), services)


async def launch_once(
    wish: Wish, catalog: Catalog, services: Services, *, key: str, caller: str, prefix: str
) -> tuple[Receipt, bool]:
    """Launch a task unless the caller's key has launched it before; return the receipt, and whether it is the first one's.

    Raises: as `launch`; IdempotencyKeyReusedError, LaunchInFlightError.
    """
    prepared = prepare(wish, catalog, now=services.clock())
    identity = await services.ledger.identity()
    named = _name(prepared, identity)
    receipt = write_receipt(named, prefix=prefix)
    claim = make_claim(named, receipt, key=key, caller=caller, options=wish.options, identity=identity)
    known = await services.publisher.publish(named, claim)
    return (receipt, False) if known is None else (replay(claim, known), True)


async def launch_batch(batch: BatchBody, catalog: Catalog, services: Services) -> list[Launch | GatewayError]:
    """Launch the items of a batch, in their order; each is launched, or says why it was not.

    All of them are under way at once, so they share the publisher's round trips.
    Raises: RefusedParamsError with every fault of every item, if one depends on all and any is refused.
    """
    now = services.clock()
    prepared = [_prepare_item(item, catalog, now) for item in batch.items]
    refused = any(isinstance(each, GatewayError) for each in prepared)
    if batch.all_or_nothing and refused:
        raise RefusedParamsError(tuple(gather_faults(prepared)))
    return await asyncio.gather(*(_publish_item(each, services) for each in prepared))


def rehearse(wish: Wish, catalog: Catalog, services: Services) -> DryRun:
    """Do all of a launch but the launch.

    Raises: LaunchError when the wish is refused.
    """
    return show_dry_run(prepare(wish, catalog, now=services.clock()))


async def follow(task_id: str, services: Services) -> TaskStatus:
    """Tell what is known of a task.

    Raises: UnknownTaskError, ForgottenTaskError; BackendError.
    """
    remembered = await _remember(task_id, services)
    return interpret(remembered, await _read(task_id, services))


async def revoke(task_id: str, services: Services, *, terminate: bool, signal: str) -> RevokeAnswer:
    """Ask that a task not run; with `terminate`, that it be stopped with a signal.

    Raises: UnknownTaskError, ForgottenTaskError; TaskFinishedError; BackendError.
    """
    remembered = await _remember(task_id, services)
    record = await _read(task_id, services) or ResultRecord(status="PENDING")
    if record.status in FINAL:
        raise TaskFinishedError(record.status)
    wish = Revocation(requested_at=services.clock(), terminate=terminate, signal=signal if terminate else None)
    await services.ledger.record_revocation(task_id, wish, keep_s=remembered.entry.keep_s)
    await services.workers.revoke(task_id, terminate=terminate, signal=signal)
    revocation = show_revocation(wish, record)
    message = (
        f"asked the workers to stop the task with {signal}" if terminate else "asked the workers not to run the task"
    )
    return RevokeAnswer(task_id=task_id, status=record.status, message=message, revocation=revocation)


async def retry(task_id: str, body: RetryBody, catalog: Catalog, services: Services) -> Launch:
    """Launch a finished task again under a new id, with its params checked against today's schema.

    Raises: UnknownTaskError, ForgottenTaskError; TaskUnfinishedError; LaunchError; BackendError.
    """
    remembered = await _remember(task_id, services)
    record = await _read(task_id, services)
    if record is None or record.status not in FINAL:
        raise TaskUnfinishedError(record.status if record else "PENDING")
    return await launch(repeat(remembered.entry, body.params), catalog, services)


async def _publish(prepared: Launch, services: Services) -> Launch:
    """Name a launch, the last thing that is decided of it, and publish it."""
    named = _name(prepared, await services.ledger.identity())
    await services.publisher.publish(named)
    return named


def _name(prepared: Launch, identity: bytes) -> Launch:
    now_ms = int(prepared.launched_at.timestamp() * 1000)
    return replace(prepared, task_id=mint(now_ms=now_ms, entropy=os.urandom(ENTROPY_BYTES), identity=identity))


def _prepare_item(item: object, catalog: Catalog, now: datetime) -> Launch | LaunchError:
    try:
        return prepare(read_item(item), catalog, now=now)
    except LaunchError as error:
        return error


async def _publish_item(prepared: Launch | LaunchError, services: Services) -> Launch | GatewayError:
    if isinstance(prepared, LaunchError):
        return prepared
    try:
        return await _publish(prepared, services)
    except GatewayError as error:
        return error


async def _remember(task_id: str, services: Services) -> Remembered:
    if not is_task_id(task_id):
        raise UnknownTaskError
    remembered = await services.ledger.find(task_id)
    if remembered is not None:
        return remembered
    if is_minted_here(task_id, identity=await services.ledger.identity()):
        raise ForgottenTaskError
    raise UnknownTaskError


async def _read(task_id: str, services: Services) -> ResultRecord | None:
    raw = await services.results.find(task_id)
    return None if raw is None else read_record(raw)
