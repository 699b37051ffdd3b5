"""A process holds so many requests and so many bytes of bodies; whatever comes beyond is told to come back."""

import asyncio
from typing import Any

import httpx
import pytest

from gateway.backends.memory import MemoryBackend
from gateway.errors import TooManyWaitsError
from gateway.launch.offer import Offer, Outcome
from gateway.web.answers import send_answer
from gateway.web.app import build_app
from gateway.web.problems import answer_error
from gateway.web.reading import SMALL_DIGITS
from gateway.web.shedding import BODIES, Shedder, park
from gateway.web.visit import find_visit
from tests.web.conftest import make_site

CHUNKED = [(b"transfer-encoding", b"chunked")]
LAUNCH = "/api/celery/tasks/launch/shop.order"


class Gate:
    """Holds every launch until it is opened."""

    def __init__(self, backend: MemoryBackend) -> None:
        self.opened = asyncio.Event()
        self.waiting = asyncio.Semaphore(0)
        self._publish = backend.publish
        backend.publish = self.publish  # type: ignore[method-assign]

    async def publish(self, offers: list[Offer], **options: bool) -> list[Outcome]:
        """Publish once the gate is open."""
        self.waiting.release()
        await self.opened.wait()
        return await self._publish(offers, **options)


@pytest.mark.timeout(10)
async def test_requests_beyond_the_limit_are_refused_at_once(backend: MemoryBackend) -> None:
    """503 with the time to come back; liveness is still told, and a place that gets free is given away."""
    gate = Gate(backend)
    app = Shedder(build_app(make_site(backend)), max_requests=3, max_waits=9, max_body_bytes=4096)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http:
        held = [asyncio.create_task(http.post(LAUNCH, json={"item": "tea"})) for _ in range(3)]
        for _ in held:
            await gate.waiting.acquire()
        refused = await http.post(LAUNCH, json={"item": "tea"})
        live = await http.get("/health/live")
        gate.opened.set()
        answers = await asyncio.gather(*held)
        after = await http.post(LAUNCH, json={"item": "tea"})

    assert (503, "gateway_busy", "1") == (refused.status_code, refused.json()["code"], refused.headers["retry-after"])
    assert 200 == live.status_code
    assert [202] * 4 == [answer.status_code for answer in (*answers, after)]


async def test_bodies_beyond_the_budget_are_refused(backend: MemoryBackend) -> None:
    """Wherever they are read; what was held is free again when its request has ended."""
    size = 1024
    held: list[dict[str, Any]] = []

    async def hold(scope: Any, receive: Any, send: Any) -> None:
        held.append(await receive())
        await consume(scope, receive, send)

    async def consume(_: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    shedder = Shedder(hold, max_requests=9, max_waits=9, max_body_bytes=size)
    messages = [{"type": "http.request", "body": b"x" * size, "more_body": True}] * BODIES
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def send(_: Any) -> None: ...

    for _ in range(2):
        parts = iter(messages)

        async def receive(parts: Any = parts) -> Any:
            return next(parts)

        await shedder({"type": "http", "path": "/", "headers": CHUNKED}, receive, send)

    assert 2 == len(held)
    assert not backend.published
    shedder.hold(size * BODIES)
    app = build_app(make_site(backend))
    full = Shedder(app, max_requests=9, max_waits=9, max_body_bytes=4096)
    full.hold(4096 * BODIES)
    large = b'{"item": "tea"' + b" " * 10**SMALL_DIGITS + b"}"
    json = {"content-type": "application/json"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(full), base_url="http://gateway") as http:
        launch = await http.post(LAUNCH, content=large, headers=json)
        retry = await http.post(
            "/api/celery/tasks/01890000-0000-7000-8000-000000000000/retry", content=large, headers=json
        )
        small = await http.post(LAUNCH, json={"item": "tea"})
    assert 202 == small.status_code  # the bound on requests is bound enough
    assert ["gateway_busy"] * 2 == [launch.json()["code"], retry.json()["code"]]


async def test_one_caller_cannot_take_the_places_of_all_who_wait() -> None:
    """429 for its own beyond the limit; others still find places, and so does it once one is free."""
    outcomes: list[str] = []
    ends = {name: asyncio.Event() for name in "ab"}

    async def wait(scope: Any, _: Any, send: Any) -> None:
        find_visit(scope).caller = scope["caller"]
        try:
            park(scope)
        except TooManyWaitsError as error:
            outcomes.append("refused")
            await send_answer(answer_error(error, scope=scope), scope, send)
            return
        outcomes.append(scope["caller"])
        if scope["caller"]:
            await ends[scope["caller"]].wait()

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    shedder = Shedder(wait, max_requests=9, max_waits=9, max_waits_per_caller=2, max_body_bytes=4096)

    async def ask(caller: str) -> None:
        await shedder({"type": "http", "path": "/", "caller": caller}, None, send)  # type: ignore[arg-type] # no body

    waiting = [asyncio.create_task(ask(caller)) for caller in ("a", "a", "a", "b", "", "", "")]
    await asyncio.sleep(0)
    ends["a"].set()
    await asyncio.gather(*waiting[:3])
    await ask("a")
    ends["b"].set()
    await asyncio.gather(*waiting)

    assert ["a", "a", "refused", "b", "", "", "", "a"] == outcomes
    assert 429 == sent[0]["status"]
    assert (b"retry-after", b"5") in sent[0]["headers"]
    assert b'"code":"too_many_waits"' in sent[1]["body"]
    assert 0 == shedder.waiting
