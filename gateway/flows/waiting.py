"""Waiting for a task: until it changes, until it ends, or through all that happens to it."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Literal

from msgspec import Struct

from gateway.catalog.view import View
from gateway.flows.following import follow
from gateway.flows.services import Services
from gateway.ports import LogEntry, Watch
from gateway.status.interpreting import is_final
from gateway.status.status import TaskStatus
from gateway.status.unfolding import Told, Unfolding, is_behind
from gateway.status.withholding import withhold

HEARTBEAT_S = 15.0
ASK_AGAIN_S = 20.0
"""How often a stream asks that its task be followed on."""


class StreamEvent(Struct, frozen=True, kw_only=True):
    """One event of a task's stream."""

    kind: Literal["status", "final", "heartbeat", "bye"]
    entry_id: str = ""
    status: TaskStatus | None = None


async def wait_for_change(
    task_id: str,
    view: View,
    watch: Watch,
    services: Services,
    *,
    prefix: str,
    wait_s: float,
    is_end_wanted: bool = False,
) -> TaskStatus:
    """Answer a task's status when it has changed, or ended where that is wanted; in any case when the wait is over.

    Raises: UnknownTaskError, ForgottenTaskError; BackendError.
    """
    loop = asyncio.get_running_loop()
    over_at = loop.time() + wait_s
    first = status = await follow(task_id, view, services, prefix=prefix)
    while not is_final(status) and (is_end_wanted or status == first):
        news = await watch.wait(over_at - loop.time())
        if news != "changed":
            break
        status = await follow(task_id, view, services, prefix=prefix)
    return status


async def stream(
    task_id: str,
    view: View,
    watch: Watch,
    services: Services,
    *,
    prefix: str,
    after: str | None,
    heartbeat_s: float = HEARTBEAT_S,
) -> AsyncGenerator[StreamEvent]:
    """Tell every status that a task comes to, behind the event that the client has seen, and at last the final one.

    Shape: `final` and `bye` end the stream; `bye` when the watch was stopped. Nothing at all for a client that has seen
        the final one.
    Raises: UnknownTaskError, ForgottenTaskError before the first event; BackendError at any time.
    """
    remembered = await services.remember(task_id, view)
    is_open = view.may("read_result", remembered.entry.task_type)
    unfolding, at = Unfolding(remembered.entry, prefix=prefix), "0"
    log = _FollowedLog(task_id, services)
    while True:
        entries = await log.read(at)
        at = entries[-1].entry_id if entries else at
        for told in unfolding.apply(entries):
            is_end, is_news = is_final(told.status), is_behind(told.entry_id, after)
            if is_news:
                yield await _conclude(told, view, services, prefix=prefix) if is_end else _tell(told, is_open=is_open)
            if is_end:
                return
        match await watch.wait(heartbeat_s):
            case "stopped":
                yield StreamEvent(kind="bye")
                return
            case "none":
                yield StreamEvent(kind="heartbeat")


class _FollowedLog:
    """The log of a task, which every gateway writes for as long as one asks for it: also when this one is gone."""

    def __init__(self, task_id: str, services: Services) -> None:
        self._task_id = task_id
        self._services = services
        self._asked_at: float | None = None

    async def read(self, after: str) -> list[LogEntry]:
        now = asyncio.get_running_loop().time()
        if self._asked_at is None or now - self._asked_at > ASK_AGAIN_S:
            [found] = await self._services.results.find([self._task_id])
            await self._services.log.open(self._task_id, found)
            self._asked_at = now
        return await self._services.log.read(self._task_id, after)


def _tell(told: Told, *, is_open: bool) -> StreamEvent:
    status = told.status if is_open else withhold(told.status)
    return StreamEvent(kind="status", entry_id=told.entry_id, status=status)


async def _conclude(told: Told, view: View, services: Services, *, prefix: str) -> StreamEvent:
    """Tell the final status with all that belongs to it, which no log holds: the result, the chain."""
    status = await follow(told.status.task_id, view, services, prefix=prefix)
    return StreamEvent(kind="final", entry_id=told.entry_id, status=status)
