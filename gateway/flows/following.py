"""Following a task that was launched: its status, and the wish that it end."""

from gateway.errors import TaskFinishedError
from gateway.flows.services import Services
from gateway.ports import Revocation
from gateway.status.record import ResultRecord
from gateway.status.status import FINAL, RevokeAnswer, TaskStatus, interpret, show_revocation


async def follow(task_id: str, services: Services) -> TaskStatus:
    """Tell what is known of a task.

    Raises: UnknownTaskError, ForgottenTaskError; BackendError.
    """
    remembered = await services.remember(task_id)
    return interpret(remembered, await services.read(task_id))


async def revoke(task_id: str, services: Services, *, terminate: bool, signal: str) -> RevokeAnswer:
    """Ask that a task not run; with `terminate`, that it be stopped with a signal.

    Raises: UnknownTaskError, ForgottenTaskError; TaskFinishedError; BackendError.
    """
    remembered = await services.remember(task_id)
    record = await services.read(task_id) or ResultRecord(status="PENDING")
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
