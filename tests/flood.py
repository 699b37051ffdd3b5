"""Many requests at once, each over a connection of its own, and how long each waited for its answer."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from msgspec import Struct


class Answered(Struct, frozen=True):
    """What came back; status 0 where the connection broke."""

    status: int
    body: Any
    waited_s: float
    at: float
    """When, by the monotonic clock."""


def post(path: str, body: object, **headers: str) -> bytes:
    """Write a POST."""
    return _write("POST", path, json.dumps(body).encode(), headers)


def request(method: str, path: str) -> bytes:
    """Write a request without a body."""
    return _write(method, path, b"", {})


async def flood(url: str, requests: Sequence[bytes]) -> list[Answered]:
    """Send requests at once; the answers come in their order."""
    return await asyncio.gather(*(ask(url, each) for each in requests))


async def ask(url: str, message: bytes) -> Answered:
    """Send one request."""
    began = time.monotonic()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(message)
        raw = await reader.read()
        writer.close()
    except OSError:
        raw = b""
    now = time.monotonic()
    head, _, body = raw.partition(b"\r\n\r\n")
    return Answered(int(head[9:12] or 0), json.loads(body) if body else None, now - began, now)


def _write(method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    fixed = {"Host": "gateway", "Connection": "close", "Content-Length": str(len(body))}
    if body:
        fixed["Content-Type"] = "application/json"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in (fixed | named).items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body
