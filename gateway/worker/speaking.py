"""What a task itself may say and ask, in its own code; nothing has to."""

import time
from typing import Any, Final

from celery import current_task
from redis.exceptions import RedisError

from gateway.worker.installing import find_kit
from gateway.worker.kit import Kit
from gateway.worker.ledger import Run

EVERY_S: Final = 0.1
"""Progress is not told more often; the last step always is."""
LOOK_S: Final = 1.0
"""A revoke is not looked for more often."""
_TOLD: Final = "gateway_told_at"
_LOOKED: Final = "gateway_looked_at"


def progress(done: float, total: float, text: str = "") -> None:
    """Say how far the running task is; outside of a task nothing happens."""
    task: Any = current_task
    if not task or task.request.called_directly:
        return
    now = time.monotonic()
    if done < total and now - task.request.get(_TOLD, -EVERY_S) < EVERY_S:
        return
    task.request.update({_TOLD: now})
    task.update_state(state="PROGRESS", meta={"current": done, "total": total, "message": text})


def is_revoked() -> bool:
    """Tell whether the running task should stop by itself.

    That is so once somebody revoked it, and when another worker has taken it over, as this process slept past its lease.
    While the ledger is away nobody knows: False.
    """
    task: Any = current_task
    kit = find_kit(task.app) if task else None
    run = kit.running.get(task.request.id) if kit else None
    return kit is not None and run is not None and (kit.keeper.must_stop(run) or _look(kit, run, task.request))


def _look(kit: Kit, run: Run, request: Any) -> bool:
    now = time.monotonic()
    if now - request.get(_LOOKED, -LOOK_S) < LOOK_S:
        return False
    request.update({_LOOKED: now})
    try:
        return kit.ledger.is_revoked(run.task_id)
    except RedisError:
        return False
