"""Answers as plain values, sent through ASGI or handed to the framework."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from litestar import Response
from msgspec import Struct

JSON = "application/json"
Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Answer(Struct, frozen=True):
    """One whole answer."""

    status: int
    body: bytes
    media_type: str = JSON
    headers: Mapping[str, str] = {}


async def send_answer(answer: Answer, send: Send) -> None:
    """Send an answer as ASGI messages."""
    headers = [
        (b"content-type", answer.media_type.encode("latin-1")),
        (b"content-length", b"%d" % len(answer.body)),
    ]
    if answer.headers:
        headers += ((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items())
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def make_response(answer: Answer) -> Response[bytes]:
    """Hand an answer to the framework."""
    return Response(answer.body, status_code=answer.status, media_type=answer.media_type, headers=dict(answer.headers))


def write_json(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with a value as JSON."""
    return Answer(status, msgspec.json.encode(value), JSON, headers or {})
