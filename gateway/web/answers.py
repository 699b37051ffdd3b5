"""Answers as plain values, sent through ASGI or handed to the framework."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from litestar import Response
from msgspec import Struct

JSON = "application/json"
WHOLE = "http.response.whole"
"""An extension of ours to ASGI, and its message: head and body in one, so that each layer passes it on once.

Whoever sends it has made sure that each header field is one line.
"""
CLOSE = (b"connection", b"close")
"""The header field behind whose answer the server closes the connection."""
Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Answer(Struct, frozen=True):
    """One whole answer."""

    status: int
    body: bytes
    media_type: str = JSON
    headers: Mapping[str, str] = {}


def send_answer(answer: Answer, scope: Scope, send: Send) -> Awaitable[None]:
    """Send an answer: whole, where the server takes that."""
    headers = [(b"content-type", answer.media_type.encode("latin-1"))]
    if answer.headers:
        headers += (_encode_field(*field) for field in answer.headers.items())
    message = {"type": WHOLE, "status": answer.status, "headers": headers, "body": answer.body}
    return send(message) if WHOLE in scope.get("extensions", ()) else send_split(message, send)


def _encode_field(name: str, value: str) -> tuple[bytes, bytes]:
    """Encode a header field, here where it is made: the server looks at those of a whole answer no more.

    Raises: ValueError for a value that is no one line.
    """
    if not value.isprintable():
        raise ValueError(f"the header field {name} would be more than one line")
    return name.lower().encode("latin-1"), value.encode("latin-1")


async def send_split(message: Any, send: Send) -> None:
    """Send a whole answer as the two messages of ASGI."""
    body: bytes = message["body"]
    headers = [*message["headers"], (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": message["status"], "headers": headers})
    await send({"type": "http.response.body", "body": body})


def make_response(answer: Answer) -> Response[bytes]:
    """Hand an answer to the framework."""
    return Response(answer.body, status_code=answer.status, media_type=answer.media_type, headers=dict(answer.headers))


def write_json(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with a value as JSON."""
    return Answer(status, msgspec.json.encode(value), JSON, headers or {})
