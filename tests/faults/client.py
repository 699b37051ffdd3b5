"""A client that wants each of its launches to happen once: a key each, and again on any failure."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import httpx
from msgspec import Struct

from tests.faults.checker import MISSING

PATIENCE_S = 60.0


class Call(Struct, frozen=True, kw_only=True):
    """One call and what came back."""

    key: str
    status: int | None
    """None when the connection broke."""
    code: str | None = None
    task_id: str | None = None
    shown: str | None = None
    """The status that a task was said to have, or MISSING, of a call that asked for it."""


async def launch_all(
    url: str,
    count: int,
    *,
    make_body: Callable[[int], dict[str, Any]],
    clients: int = 16,
    first: int = 0,
    twin_every: int = 0,
    looks: int = 0,
) -> list[Call]:
    """Launch numbers from `first` on, each until it is accepted; return every call.

    Every `twin_every`-th one is asked for twice at the same time, under its one key. After each launch a client looks
    at `looks` of the tasks that it launched last; nobody else looks at them, so that the answers about a task are in order.
    """
    numbers = iter(range(first, first + count))
    calls: list[Call] = []
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=url, timeout=5, limits=limits) as http:

        async def work() -> None:
            latest: deque[str] = deque(maxlen=2 * looks)
            for number in numbers:
                twins = 2 if twin_every and number % twin_every == 0 else 1
                insisting = (_insist(http, number, make_body(number)) for _ in range(twins))
                made = [call for each in await asyncio.gather(*insisting) for call in each]
                calls.extend(made)
                latest.extend(dict.fromkeys(task_id for _, task_id in find_answers(made)))
                for _ in range(looks):
                    latest.rotate()
                    calls.append(await _look(http, latest[0]))

        async with asyncio.timeout(PATIENCE_S + count / 20):
            await asyncio.gather(*(work() for _ in range(clients)))
    return calls


async def _insist(http: httpx.AsyncClient, number: int, body: dict[str, Any]) -> list[Call]:
    calls: list[Call] = []
    while not calls or calls[-1].status != 200:
        if calls:
            await asyncio.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - spreads the retries of a crowd
        calls.append(await _call(http, number, body))
    return calls


async def _call(http: httpx.AsyncClient, number: int, body: dict[str, Any]) -> Call:
    key = str(number)
    try:
        answer = await http.post("/api/celery/tasks/launch", json=body, headers={"Idempotency-Key": key})
    except httpx.TransportError:
        return Call(key=key, status=None)
    read = answer.json()
    return Call(key=key, status=answer.status_code, code=read.get("code"), task_id=read.get("task_id"))


async def look_at(url: str, task_ids: Iterable[str]) -> list[Call]:
    """Ask for the status of tasks, one after the other."""
    async with httpx.AsyncClient(base_url=url, timeout=5) as http:
        return [await _look(http, task_id) for task_id in task_ids]


async def _look(http: httpx.AsyncClient, task_id: str) -> Call:
    try:
        answer = await http.get(f"/api/celery/tasks/{task_id}")
    except httpx.TransportError:
        return Call(key="", status=None)
    read = answer.json()
    shown = {200: read["status"], 404: MISSING}.get(answer.status_code)
    return Call(key="", status=answer.status_code, code=read.get("code"), task_id=task_id, shown=shown)


def find_looks(calls: list[Call]) -> list[tuple[str, str]]:
    """Return (task id, status) of every look that was answered, in order."""
    return [(call.task_id, call.shown) for call in calls if call.task_id is not None and call.shown is not None]


def find_answers(calls: list[Call]) -> list[tuple[str, str]]:
    """Return (key, task id) of every accepted launch."""
    return [
        (call.key, call.task_id) for call in calls if call.status == 200 and call.task_id is not None and not call.shown
    ]
