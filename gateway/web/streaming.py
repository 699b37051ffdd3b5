"""Event streams of tasks. Source: WHATWG HTML, "Server-sent events".

What comes in: the events of a flow. What goes out: the stream, ended by its final event, or by `bye` when this gateway stops,
a backend fails, or its caller is no longer known; clients then connect again, anywhere, and say what they have seen.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final, TypeVar

import msgspec
import structlog
from msgspec import Struct

from gateway.errors import BackendError, MalformedBodyError
from gateway.flows.feeding import FeedEvent, stream_all
from gateway.flows.waiting import StreamEvent, stream
from gateway.ports import ALL_TASKS, Watch
from gateway.web.answers import Receive, Scope, Send, send_answer
from gateway.web.attending import attending
from gateway.web.gate import find_view, is_known_still
from gateway.web.problems import answer_error
from gateway.web.reading import NoQuery, find_header, read_query
from gateway.web.site import Site
from gateway.web.visit import find_visit

STALL_S: Final = 20.0
"""A client that takes nothing for so long is dropped."""
RETRY_MS: Final = 1000
"""How soon a client shall connect again."""
ENTRY_ID: Final = "^([0-9]{1,16}(-[0-9]{1,16})?)?$"
"""What a Last-Event-ID looks like; an empty one is none."""
EVENT_STREAM: Final = "text/event-stream"
_HEADERS: Final = [
    (b"content-type", f"{EVENT_STREAM}; charset=utf-8".encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # proxies of nginx's kind would hold events back
]
_BYE: Final = b"event: bye\ndata: {}\n\n"
E = TypeVar("E", StreamEvent, FeedEvent)
_log = structlog.get_logger("gateway.web")


class FeedQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of the feed of all tasks."""

    task_type: str | None = None


async def stream_task(task_id: str, site: Site, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the events of one task; 204 to a client that has seen the final one, which ends an EventSource."""
    view = find_view(scope, site)

    def begin(watch: Watch) -> AsyncGenerator[StreamEvent]:
        read_query(scope, NoQuery)
        return stream(task_id, view, watch, site.services, prefix=site.prefix, after=_read_last_seen(scope))

    await _serve(begin, scope, receive, send, site=site, topic=task_id)


async def stream_feed(site: Site, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the events of all tasks that the caller may read."""
    view = find_view(scope, site)

    def begin(watch: Watch) -> AsyncGenerator[FeedEvent]:
        task_type = read_query(scope, FeedQuery).task_type
        return stream_all(watch, view, site.services, task_type=task_type, after=_read_last_seen(scope))

    await _serve(begin, scope, receive, send, site=site, topic=ALL_TASKS)


async def _serve(
    begin: Callable[[Watch], AsyncGenerator[E]], scope: Scope, receive: Receive, send: Send, *, site: Site, topic: str
) -> None:
    """Send the events of a stream; what fails before the first is a problem, what fails later ends the stream."""
    is_begun = False
    try:
        async with attending(topic, site, scope, receive) as watch, aclosing(begin(watch)) as events:
            first = await anext(events, None)
            is_begun = True
            await _send_all(first, events, scope, send)
    except TimeoutError:
        _log.info("stream_stalled", topic=topic)
    except Exception as error:
        if not is_begun:
            await send_answer(answer_error(error, scope=scope), scope, send)
        elif isinstance(error, BackendError):
            _log.warning("stream_broken", topic=topic, detail=str(error))
            await _send(_BYE, send, is_last=True)
        else:
            raise


async def _send_all(first: E | None, events: AsyncGenerator[E], scope: Scope, send: Send) -> None:
    if first is None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await _send(b"retry: %d\n\n" % RETRY_MS + _write(first), send)
    async for event in events:
        if not await is_known_still(scope):
            await _send(_BYE, send, is_last=True)
            return
        await _send(_write(event), send)
    await _send(b"", send, is_last=True)


async def _send(data: bytes, send: Send, *, is_last: bool = False) -> None:
    """Send a piece; a client that is slow holds up its own stream only, and nothing is kept for it meanwhile.

    Raises: TimeoutError when it takes nothing for too long.
    """
    async with asyncio.timeout(STALL_S):
        await send({"type": "http.response.body", "body": data, "more_body": not is_last})


def _write(event: StreamEvent | FeedEvent) -> bytes:
    value = event.status if isinstance(event, StreamEvent) else event.change
    if event.kind == "heartbeat":
        return b": heartbeat\n\n"
    if value is None:
        return _BYE
    data = msgspec.json.encode(value)
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event.entry_id.encode(), event.kind.encode(), data)


def _read_last_seen(scope: Scope) -> str | None:
    """Read the Last-Event-ID header.

    Raises: MalformedBodyError.
    """
    given = find_header(find_visit(scope), b"last-event-id")
    if not given:
        return None
    if not re.fullmatch(ENTRY_ID, given):
        raise MalformedBodyError("a Last-Event-ID is the id of an event of this stream")
    return given
