"""The wish that a task not run, or stop: noted first, then its message is taken back, then the workers are told.

What comes in: tasks. What goes out: what is certain of them. A wish that was noted holds, whatever fails behind it: workers
that start later are told of it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from msgspec import Struct

from gateway.catalog.view import View
from gateway.errors import BackendError, TaskFinishedError
from gateway.flows.ending import write_end
from gateway.flows.following import find_statuses, tell
from gateway.flows.looking import look
from gateway.flows.services import Services
from gateway.launch.withdrawal import Withdrawal
from gateway.ports import Remembered, Revocation
from gateway.status.interpreting import is_final, show_revocation
from gateway.status.lifecycle import CELERY_FINAL
from gateway.status.status import RevokeAnswer

DEFAULT_SIGNAL = "SIGTERM"
_NOT_STARTED = frozenset({"PENDING", "RECEIVED", "RETRY"})


class Stop(Struct, frozen=True, kw_only=True):
    """How hard a task is to be stopped."""

    terminate: bool = False
    signal: str = DEFAULT_SIGNAL


class Revoked(Struct, frozen=True, kw_only=True):
    """What became of a wish about many tasks."""

    revoked: tuple[str, ...]
    """Those that had not ended: they will not run, or the workers were asked to leave them."""
    finished: tuple[str, ...]
    """Those that had ended."""


async def revoke(task_id: str, view: View, services: Services, *, prefix: str, stop: Stop) -> RevokeAnswer:
    """Make sure that a task does not run, as far as that is possible; with `terminate`, that it is stopped with a signal.

    Raises: UnknownTaskError, ForgottenTaskError; ForbiddenError; TaskFinishedError; BackendError.
    """
    remembered, record = await services.recall(task_id, view)
    view.require("revoke", remembered.entry.task_type)
    status = await tell(remembered, record, services, prefix=prefix)
    if is_final(status):
        raise TaskFinishedError(status.status)
    wish = _make_wish(services, stop)
    is_told = await _carry_out([_describe(remembered, status.status)], wish, services, stop)
    remembered, record = await services.recall(task_id, view)
    status = await tell(remembered, record, services, prefix=prefix)
    known = remembered.revocation or wish
    return RevokeAnswer(
        task_id=task_id,
        status=status.status,
        message=_explain(known, stop, is_told=is_told, services=services),
        revocation=status.revocation or show_revocation(known, status.status, status.finished_at),
    )


async def revoke_all(task_ids: Sequence[str], services: Services, *, stop: Stop) -> Revoked:
    """Do the same for many tasks; those that are not remembered are passed over.

    Raises: BackendError when nothing could be noted.
    """
    looks = [each for each in await look(task_ids, services) if each is not None]
    wanted = [_describe(each.remembered, each.status) for each in looks if each.status not in CELERY_FINAL]
    if wanted:
        await _carry_out(wanted, _make_wish(services, stop), services, stop)
        await _settle([each.task_id for each in wanted], services)
    return Revoked(
        revoked=tuple(each.task_id for each in wanted),
        finished=tuple(each.remembered.entry.task_id for each in looks if each.status in CELERY_FINAL),
    )


def _make_wish(services: Services, stop: Stop) -> Revocation:
    signal = stop.signal if stop.terminate else None
    return Revocation(requested_at=services.clock(), terminate=stop.terminate, signal=signal)


async def _carry_out(wanted: Sequence[Withdrawal], wish: Revocation, services: Services, stop: Stop) -> bool:
    """Note a wish, take messages back, and ask the workers to leave the rest; tell whether these could be asked.

    Raises: BackendError when nothing could be noted.
    """
    await services.ledger.record_revocations([each.task_id for each in wanted], wish)
    try:
        taken = await services.publisher.withdraw(wanted, wish)
    except BackendError:  # what could not be taken back is left to the workers
        taken = {}
    confirmed = [each.task_id for each in wanted if taken.get(each.task_id) == "confirmed"]
    if confirmed:
        await _announce(confirmed, services)
    rest = [each.task_id for each in wanted if each.task_id not in set(confirmed)]
    if not rest:
        return True
    with suppress(BackendError):  # then workers cannot write into it either
        await services.results.mark_asked(rest)
    try:
        await services.workers.revoke(rest, terminate=stop.terminate, signal=stop.signal)
    except BackendError:  # they are told when they, or their broker, come back
        return False
    return True


async def _settle(task_ids: Sequence[str], services: Services) -> None:
    """Write down which tasks have ended by now; whoever reads one first would do so too."""
    with suppress(BackendError):
        statuses = await find_statuses(task_ids, services, prefix="")
        ended = [each for each in statuses if each is not None and is_final(each)]
        await asyncio.gather(*(write_end(each, services) for each in ended))


async def _announce(task_ids: Sequence[str], services: Services) -> None:
    """Let Celery's own clients see what is certain; whether they do changes nothing about it."""
    with suppress(BackendError):
        await services.results.mark_revoked(task_ids, at=services.clock())


def _describe(remembered: Remembered, status: str) -> Withdrawal:
    entry = remembered.entry
    return Withdrawal(task_id=entry.task_id, queue=entry.queue, is_started=status not in _NOT_STARTED)


def _explain(known: Revocation, stop: Stop, *, is_told: bool, services: Services) -> str:
    """Say exactly what is certain."""
    if known.confirmed_at is not None:
        return "taken out of the queue: it will not run"
    prefix = "taken back from the broker, which gives it to nobody else; " if known.withdrawn_at else ""
    if not is_told:
        return f"{prefix}noted: the broker is away, and the workers are told when they are back"
    view = services.workers.view()
    count = sum(worker.online for worker in view.workers.values())
    if view.as_of is not None and not count:
        return f"{prefix}noted: no live worker is known, and those that start later are told"
    who = "the workers" if view.as_of is None else f"{count} live worker{'s' if count > 1 else ''}"
    what = f"to stop it with {stop.signal}" if stop.terminate else "not to run it"
    return f"{prefix}asked {who} {what}"
