"""Ends: written down by whoever sees one first, and counted by whoever wrote it."""

from gateway.flows.services import Services
from gateway.ports import Tally
from gateway.status.interpreting import conclude
from gateway.status.status import TaskStatus


async def write_end(status: TaskStatus, services: Services) -> None:
    """Write down the final status of a task.

    Raises: BackendError.
    """
    if await services.ledger.settle(status.task_id, conclude(status)):
        count_end(status, services.tally)


def count_end(status: TaskStatus, tally: Tally) -> None:
    """Count a final status that was written down just now; of all gateways one does."""
    tally.note_end(status.task_type, status.status, queued_s=status.queued_s, run_s=status.run_s)
