"""Joining the kit with a Celery app.

Celery has no hook that can keep a task from running in the process that would run it: what receivers of `task_prerun` raise
is swallowed, and `Task.before_start` comes after STARTED was written over what the first run left. So the kit stands where
Celery keeps the tracer of a task, `Task.__trace__`, which every pool calls, and which Celery makes anew whenever it likes.
"""

import os
from typing import Any, Final

from celery import Celery, Task, signals

from gateway.worker.connecting import MASTER, PREFIX, connect, find_url
from gateway.worker.keeper import Keeper
from gateway.worker.kit import Away, Kit, Policy, Tracer
from gateway.worker.ledger import Ledger
from gateway.worker.watching import Watcher

LEASE_S: Final = 30.0
WAIT_S: Final = 2.0
_SLOT: Final = "__trace__"


def install(
    app: Celery,
    *,
    url: str | None = None,
    prefix: str | None = None,
    lease_s: float = LEASE_S,
    wait_s: float = WAIT_S,
    without_ledger: Away = "run",
) -> None:
    """Make the delivery of a gateway's tasks exact in the workers of an app; a second call changes nothing.

    Shape: `url` and `prefix` say where the ledger is: GATEWAY_REDIS_URL and GATEWAY_KEY_PREFIX when left out, else the first
        Redis of broker and result backend. While it does not answer, a task waits for `wait_s`; then it is run unclaimed, or
        delivered again later (`requeue`).
    Units: the task of a worker that died is free after `lease_s`; a process that cannot run Python for so long counts as dead.
    Raises: ValueError when the ledger's Redis is not known, or a duration makes no sense.
    """
    if lease_s < 1 or wait_s < 0 or without_ledger not in {"run", "requeue"}:
        raise ValueError("lease_s is at least 1, wait_s at least 0, without_ledger `run` or `requeue`")
    kits = _find_slot().kits
    if app in kits:
        return
    client = connect(url or find_url(app, os.environ), master=os.environ.get("GATEWAY_SENTINEL_MASTER") or MASTER)
    prefix = os.environ.get("GATEWAY_KEY_PREFIX") or PREFIX if prefix is None else prefix
    ledger = Ledger(client, prefix=prefix, lease_s=lease_s)
    kit = Kit(ledger, Keeper(ledger, lease_s=lease_s), Policy(wait_s, without_ledger))
    kits[app] = kit
    watcher = Watcher(app, kit)
    signals.worker_ready.connect(watcher.hear_ready, weak=False)
    signals.task_received.connect(watcher.hear_received, weak=False)
    signals.task_revoked.connect(watcher.hear_revoked, weak=False)
    signals.task_failure.connect(watcher.hear_failure, weak=False)


def find_kit(app: Celery) -> Kit | None:
    """Return the kit of an app."""
    return _find_slot().kits.get(app)


class _Slot:
    """Where Celery keeps the tracer of each task, and finds one that asks the ledger first."""

    def __init__(self) -> None:
        self.kits: dict[Celery, Kit] = {}

    def __get__(self, task: Any, owner: type | None = None) -> Tracer | None:
        return None if task is None else task.__dict__.get(_SLOT)

    def __set__(self, task: Any, tracer: Tracer | None) -> None:
        kit = self.kits.get(task.app)
        task.__dict__[_SLOT] = tracer if kit is None or tracer is None else kit.wrap(task, tracer)


def _find_slot() -> _Slot:
    """Return the one slot of the process, put in its place by the first who asks."""
    slot = vars(Task).get(_SLOT)
    if not isinstance(slot, _Slot):
        slot = _Slot()
        setattr(Task, _SLOT, slot)
    return slot
