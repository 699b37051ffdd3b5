"""A client that wants each of its launches to happen once: a key each, and again on any failure."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import httpx
from msgspec import Struct

PATIENCE_S = 60.0


class Call(Struct, frozen=True, kw_only=True):
    """One call and what came back."""

    key: str
    status: int | None
    """None when the connection broke."""
    code: str | None = None
    task_id: str | None = None


async def launch_all(
    url: str,
    count: int,
    *,
    make_body: Callable[[int], dict[str, Any]],
    clients: int = 16,
    first: int = 0,
    twin_every: int = 0,
) -> list[Call]:
    """Launch numbers from `first` on, each until it is accepted; return every call.

    Every `twin_every`-th one is asked for twice at the same time, under its one key.
    """
    numbers = iter(range(first, first + count))
    calls: list[Call] = []
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=url, timeout=5, limits=limits) as http:

        async def work() -> None:
            for number in numbers:
                twins = 2 if twin_every and number % twin_every == 0 else 1
                insisting = (_insist(http, number, make_body(number)) for _ in range(twins))
                calls.extend(call for each in await asyncio.gather(*insisting) for call in each)

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


def find_answers(calls: list[Call]) -> list[tuple[str, str]]:
    """Return (key, task id) of every accepted launch."""
    return [(call.key, call.task_id) for call in calls if call.status == 200 and call.task_id is not None]
