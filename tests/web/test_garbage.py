"""No request leaves cycles behind: looking for them stops a process for some 60 ms, every few thousand requests."""

import asyncio
import gc
import json

from gateway.backends.memory import MemoryBackend
from gateway.web.app import build_app
from gateway.web.shedding import Shedder
from tests.web.conftest import connect_to, make_site

REQUESTS = 50
PREFIX = "/api/celery"


async def test_no_request_leaves_work_for_the_collector(backend: MemoryBackend) -> None:
    """Launches, refusals and reads alike, but for the odd object that a library makes once."""
    app = Shedder(build_app(make_site(backend)), max_requests=99, max_waits=99, max_body_bytes=4096)
    async with connect_to(app) as (reader, writer):
        launched = await ask(reader, writer, "POST", f"{PREFIX}/tasks/launch/shop.order", {"item": "tea"})
        left = {
            name: await count_left(reader, writer, *request)
            for name, request in {
                "launch": ("POST", f"{PREFIX}/tasks/launch", {"task_type": "shop.order", "params": {"item": "tea"}}),
                "typed launch": ("POST", f"{PREFIX}/tasks/launch/shop.order", {"item": "tea"}),
                "refused launch": ("POST", f"{PREFIX}/tasks/launch/shop.order", {"item": 7}),
                "status": ("GET", f"{PREFIX}/tasks/{launched['task_id']}", None),
            }.items()
        }

    assert not {name: count for name, count in left.items() if count >= REQUESTS}


async def count_left(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, method: str, path: str, body: object
) -> int:
    """Return how many objects only the collector can free after some requests."""
    await ask(reader, writer, method, path, body)
    gc.collect()
    gc.disable()
    try:
        for _ in range(REQUESTS):
            await ask(reader, writer, method, path, body)
        return gc.collect()
    finally:
        gc.enable()


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, method: str, path: str, body: object
) -> dict[str, object]:
    """Send a request and read its answer."""
    text = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    writer.write(head.encode() + text)
    answered = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(answered.partition(b"content-length: ")[2].split(b"\r\n")[0])
    found: dict[str, object] = json.loads(await reader.readexactly(length))
    return found
