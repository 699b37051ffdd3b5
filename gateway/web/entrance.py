"""The entrance: stands in front of every app, marks every answer, and sees of each request what is told of it elsewhere.

What comes in: ASGI. What goes out: the same, each answer with a request id and the mark of what serves; and for each request
what logs, metrics and traces are made of. It costs a few microseconds in all, and must never see more than it tells.
"""

import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final, Protocol

from msgspec import Struct

from gateway.launch.trace import Trace, read_trace
from gateway.ports import Tally
from gateway.web.answers import Receive, Scope, Send
from gateway.web.visit import Fields, Visit, find_route, find_visit

UNMATCHED: Final = "unmatched"
"""The route of whatever has none."""
METHODS: Final = frozenset({"GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"})
OTHER: Final = "OTHER"
"""All other methods: there are dozens, and none is served."""
FAILED: Final = 500
"""What the server answers for an app that did not."""
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}\Z")
Headers = tuple[tuple[bytes, bytes], ...]


class Seen(Struct, frozen=True, gc=False):
    """One request, once it has ended."""

    request_id: str
    method: str
    route: str
    status: int
    code: str | None
    duration_s: float
    task_id: str | None
    caller: str | None


class Log(Protocol):
    """Keeps what was seen."""

    def note(self, seen: Seen) -> None:
        """Keep it; never wait."""


class Span(Protocol):
    """The span of one request."""

    def end(self, seen: Seen) -> None:
        """End it; never wait."""


class Auditor(Protocol):
    """Keeps what requests do."""

    def tell_refusal(self, scope: Scope, code: str) -> None:
        """Keep that one was refused, if that is worth it."""


class Tracer(Protocol):
    """Makes spans."""

    def begin(self, trace: Trace | None, *, method: str) -> Span:
        """Begin the span of a request, in the trace that its caller named."""


class Entrance:
    """Lets requests in, and observes them."""

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        *,
        tally: Tally,
        log: Log | None,
        tracer: Tracer | None = None,
        auditor: Auditor | None = None,
    ) -> None:
        self.marks: Headers = ()
        """Headers of every answer, whoever gives it."""
        self._app = app
        self._tally = tally
        self._log = log
        self._tracer = tracer
        self._auditor = auditor
        self._head = f"{secrets.token_hex(6)}-"
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        visit = find_visit(scope)
        visit.request_id = request_id = self._name(visit.fields)
        visit.auditor = self._auditor
        if self._tracer is not None or b"traceparent" in visit.fields:
            self._begin_trace(scope, visit)
        passage = _Passage(send, (*self.marks, (b"x-request-id", request_id.encode())))
        began = perf_counter()
        try:
            await self._app(scope, receive, passage.send)
        finally:
            ended = perf_counter()
            head_s = (passage.answered or ended) - began
            self._tell(scope, visit, passage.status or FAILED, head_s=head_s, whole_s=ended - began)

    def refuse(self, scope: Scope, status: HTTPStatus, seconds: float) -> Headers:
        """See a request that the server refuses before all of it has come; return the marks of its answer.

        One that the app has begun with is told of when the app has ended.
        """
        visit = find_visit(scope)
        if visit.request_id:
            visit.refused = status
        else:
            visit.request_id, visit.code = self._name(visit.fields), status.name.lower()
            self._tell(scope, visit, status, head_s=seconds, whole_s=seconds)
        return (*self.marks, (b"x-request-id", visit.request_id.encode()))

    def _name(self, fields: Fields) -> str:
        """Take the caller's name for its request, if it is a sound one."""
        given = fields.get(b"x-request-id")
        if given is not None and _REQUEST_ID.match(given):
            return str(given, "ascii")
        self._count += 1
        return f"{self._head}{self._count:x}"

    def _begin_trace(self, scope: Scope, visit: Visit) -> None:
        visit.trace = find_trace(scope["headers"])
        if self._tracer is not None:
            visit.span = self._tracer.begin(visit.trace, method=_name_method(scope))

    def _tell(self, scope: Scope, visit: Visit, status: int, *, head_s: float, whole_s: float) -> None:
        method, route, code = _name_method(scope), find_route(scope, visit) or UNMATCHED, visit.code
        if visit.refused is not None:
            status, code = visit.refused, visit.refused.name.lower()
        self._tally.note_answer(method, route, status, head_s)
        if code is not None:
            self._tally.note_refusal(code)
            if self._auditor is not None:
                self._auditor.tell_refusal(scope, code)
        span: Span | None = visit.span
        if self._log is None and span is None:
            return
        seen = Seen(
            request_id=visit.request_id,
            method=method,
            route=route,
            status=status,
            code=code,
            duration_s=whole_s,
            task_id=visit.task_id,
            caller=visit.caller or None,
        )
        if self._log is not None:
            self._log.note(seen)
        if span is not None:
            span.end(seen)


def _name_method(scope: Scope) -> str:
    method: str = scope.get("method", "")
    return method if method in METHODS else OTHER


def find_trace(headers: Sequence[tuple[bytes, bytes]]) -> Trace | None:
    """Find the trace that a request is part of; none where it names two."""
    parents = [value for name, value in headers if name == b"traceparent"]
    states = [value for name, value in headers if name == b"tracestate"]
    return read_trace(parents[0], b",".join(states)) if len(parents) == 1 else None


class _Passage:
    """The way of one answer."""

    __slots__ = ("_marks", "_send", "answered", "status")

    def __init__(self, send: Send, marks: Headers) -> None:
        self.status = 0
        self.answered = 0.0
        self._send = send
        self._marks = marks

    def send(self, message: Any) -> Awaitable[None]:
        """Pass on a message; no coroutine of its own, as most requests have two."""
        if message["type"] != "http.response.body":
            self.status = message["status"]
            self.answered = perf_counter()
            message["headers"] = [*message["headers"], *self._marks]
        return self._send(message)
