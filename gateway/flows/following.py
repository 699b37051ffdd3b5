"""Following a task that was launched: its status, its result."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from gateway.catalog.view import View
from gateway.errors import BackendError, NoResultError
from gateway.flows.ending import write_end
from gateway.flows.services import Services
from gateway.ports import Remembered
from gateway.status.interpreting import Witness, find_worker, interpret, is_final
from gateway.status.record import ResultRecord, read_found, read_record
from gateway.status.status import Link, TaskStatus
from gateway.status.withholding import withhold


async def follow(task_id: str, view: View, services: Services, *, prefix: str) -> TaskStatus:
    """Tell what is known of a task, without its result where the caller may not read that.

    Raises: UnknownTaskError, ForgottenTaskError; BackendError.
    """
    over_at = asyncio.get_running_loop().time() + services.deadline_s
    remembered, record = await services.recall(task_id, view)
    status = await tell(remembered, record, services, prefix=prefix, over_at=over_at)
    return status if view.may("read_result", status.task_type) else withhold(status)


async def tell(
    remembered: Remembered,
    record: ResultRecord | None,
    services: Services,
    *,
    prefix: str,
    over_at: float | None = None,
) -> TaskStatus:
    """Tell what was found of a task; a final status is written down before anybody reads it, so that it stays.

    Units: `over_at` is the moment, by the loop's clock, by which whoever asked must have an answer.
    Raises: BackendError.
    """
    chain: tuple[Link, ...] = ()
    if remembered.chain:
        async with _until(over_at):
            chain = await _find_chain(remembered.chain, services)
    status = interpret(remembered, record, _bear_witness(remembered, record, services, chain=chain, prefix=prefix))
    if remembered.end is None and is_final(status):
        with suppress(BackendError):  # then whoever reads it next writes it down
            async with _until(over_at):
                await write_end(status, services)
    return status


async def find_statuses(task_ids: Sequence[str], services: Services, *, prefix: str) -> list[TaskStatus | None]:
    """Tell what is known of many tasks, None for each that is not remembered; no chains, and nothing is written down.

    Raises: BackendError.
    """
    asked, also_asked = services.ledger.find(task_ids), services.results.find(task_ids)
    rows, found = await asked, await also_asked
    statuses: list[TaskStatus | None] = []
    for remembered, raw in zip(rows, found, strict=True):
        record = None if raw is None else read_found(raw)
        known = None if remembered is None else _bear_witness(remembered, record, services, chain=(), prefix=prefix)
        statuses.append(None if remembered is None or known is None else interpret(remembered, record, known))
    return statuses


async def load_result(task_id: str, view: View, services: Services) -> object:
    """Return the whole result of a task, however large.

    Raises: UnknownTaskError, ForgottenTaskError; ForbiddenError; NoResultError while there is none, or when it is gone; BackendError.
    """
    remembered = await services.remember(task_id, view)
    view.require("read_result", remembered.entry.task_type)
    raw = await services.results.load(task_id)
    if raw is None:
        raise NoResultError
    return read_record(raw).result


@asynccontextmanager
async def _until(over_at: float | None) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(over_at):
            yield
    except TimeoutError as error:
        raise BackendError("ledger or result backend do not answer in time") from error


async def _find_chain(task_ids: Sequence[str], services: Services) -> tuple[Link, ...]:
    """Describe the retries of a task."""
    statuses = await find_statuses(task_ids, services, prefix="")
    return tuple(
        Link(
            task_id=status.task_id,
            attempt=status.attempt,
            retry_of=status.retry_of or "",
            status=status.status,
            launched_at=status.launched_at,
        )
        for status in statuses
        if status is not None
    )


def _bear_witness(
    remembered: Remembered, record: ResultRecord | None, services: Services, *, chain: tuple[Link, ...], prefix: str
) -> Witness:
    worker = find_worker(remembered, record)
    started_at = remembered.run.started_at if remembered.run else None
    return Witness(
        now=services.clock(),
        view=services.workers.view(),
        lost_at=None if worker is None else services.workers.find_lost_at(worker, started_at=started_at),
        chain=chain,
        prefix=prefix,
    )
