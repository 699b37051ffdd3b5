"""Event streams of tasks. Source: WHATWG HTML, "Server-sent events".

What comes in: the events of a flow. What goes out: the stream, ended by its final event, or by `bye` when this gateway stops
or a backend fails; clients then connect again, anywhere, and say what they have seen.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

import msgspec
import structlog

from gateway.errors import BackendError, MalformedBodyError
from gateway.flows.waiting import StreamEvent, stream
from gateway.web.answers import Receive, Scope, Send, send_answer
from gateway.web.attending import attending
from gateway.web.problems import answer_error
from gateway.web.reading import NoQuery, find_header, read_query
from gateway.web.site import Site

STALL_S: Final = 20.0
"""A client that takes nothing for so long is dropped."""
RETRY_MS: Final = 1000
"""How soon a client shall connect again."""
_ENTRY_ID = re.compile(r"\d{1,16}(-\d{1,16})?")
_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # proxies of nginx's kind would hold events back
]
_log = structlog.get_logger("gateway.web")


async def stream_events(task_id: str, site: Site, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the events of one task; 204 to a client that has seen the final one, which ends an EventSource."""
    is_begun = False
    try:
        read_query(scope, NoQuery)
        after = _read_last_seen(scope)
        async with (
            attending(task_id, site, scope, receive) as watch,
            aclosing(stream(task_id, watch, site.services, prefix=site.prefix, after=after)) as events,
        ):
            first = await anext(events, None)
            is_begun = True
            await _send_all(first, events, send)
    except TimeoutError:
        _log.info("stream_stalled", task_id=task_id)
    except BackendError as error:
        if not is_begun:
            await send_answer(answer_error(error, path=scope["path"]), send)
        else:
            _log.warning("stream_broken", task_id=task_id, detail=str(error))
            await _send(_write(StreamEvent(kind="bye")), send, is_last=True)
    except Exception as error:
        if is_begun:
            raise
        await send_answer(answer_error(error, path=scope["path"]), send)


async def _send_all(first: StreamEvent | None, events: AsyncIterator[StreamEvent], send: Send) -> None:
    if first is None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await _send(b"retry: %d\n\n" % RETRY_MS + _write(first), send)
    async for event in events:
        await _send(_write(event), send)
    await _send(b"", send, is_last=True)


async def _send(data: bytes, send: Send, *, is_last: bool = False) -> None:
    """Send a piece; a client that is slow holds up its own stream only, and nothing is kept for it meanwhile.

    Raises: TimeoutError when it takes nothing for too long.
    """
    async with asyncio.timeout(STALL_S):
        await send({"type": "http.response.body", "body": data, "more_body": not is_last})


def _write(event: StreamEvent) -> bytes:
    if event.kind == "heartbeat":
        return b": heartbeat\n\n"
    if event.status is None:
        return b"event: %b\ndata: {}\n\n" % event.kind.encode()
    data = msgspec.json.encode(event.status)
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event.entry_id.encode(), event.kind.encode(), data)


def _read_last_seen(scope: Scope) -> str | None:
    """Read the Last-Event-ID header.

    Raises: MalformedBodyError.
    """
    given = find_header(scope, b"last-event-id")
    if not given:
        return None
    if not _ENTRY_ID.fullmatch(given):
        raise MalformedBodyError("a Last-Event-ID is the id of an event of this stream")
    return given
