"""What the main process of a worker knows and the process that runs a task cannot say: it heard the signals of Celery.

A task is received there, may be left as revoked or expired, and may die there: killed at its time limit, or with its process.
"""

from typing import Any

from celery import Celery, states
from redis.exceptions import RedisError

from gateway.worker.kit import Kit, may_be_ours
from gateway.worker.ledger import Run, describe_end


class Watcher:
    """Tells the ledger of one app's tasks."""

    def __init__(self, app: Celery, kit: Kit) -> None:
        self._app = app
        self._kit = kit

    def hear_ready(self, sender: Any = None, **_: Any) -> None:
        """A worker is ready."""
        if sender is not None and sender.app is self._app:
            self._kit.keeper.announce(sender.hostname)

    def hear_received(self, request: Any = None, **_: Any) -> None:
        """A task was received."""
        if request is not None and may_be_ours(request.id) and request.task.app is self._app:
            self._kit.keeper.receive(request.id)

    def hear_revoked(self, sender: Any = None, request: Any = None, **_: Any) -> None:
        """A task was left or stopped: revoked, expired or terminated."""
        self._settle(sender, request.id, request, states.REVOKED, None)

    def hear_failure(self, sender: Any = None, task_id: Any = None, exception: Any = None, **_: Any) -> None:
        """A task failed; one that failed while it ran here has said so by itself."""
        self._settle(sender, task_id, None, states.FAILURE, exception)

    def _settle(self, task: Any, task_id: Any, request: Any, status: str, error: BaseException | None) -> None:
        if not may_be_ours(task_id) or task.app is not self._app or task_id in self._kit.running:
            return
        retries = int(getattr(request, "retries", 0) or 0)
        run = Run(task_id, "", self._kit.keeper.worker, retries, 0.0)
        end = describe_end(run, status, error)
        try:
            self._kit.ledger.finish(run, status, end)
        except RedisError:
            self._kit.keeper.finish_later(run, status, end)
