"""uvicorn's protocol with two changes: answers leave in one write, and a request arrives in time, in bounds and clearly or not at all.

uvicorn waits for ever for a request that comes byte by byte, and takes a head of any size. What two servers could read
differently is refused: whoever stands in front would see another request than is served here.
"""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final, cast

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.web.answers import WHOLE
from gateway.web.heads import Limits, RefusedHeadError, check_head
from gateway.web.problems import answer_status
from gateway.web.sending import Gathering, Sender, Turn
from gateway.web.sweeping import Sweeper
from gateway.web.visit import REFUSE, find_visit

CHUNK_OVERHEAD: Final = 16_384
"""So many bytes a chunked body may have beside what it carries, and seven for each byte of that: no client says more."""
EXTENSIONS: Final[dict[str, dict[object, object]]] = {WHOLE: {}}
Headers = Sequence[tuple[bytes, bytes]]


class OneWriteProtocol(HttpToolsProtocol):
    """Serves one connection."""

    def __init__(
        self, *arguments: Any, sweeper: Sweeper | None = None, turn: Turn | None = None, **others: Any
    ) -> None:
        """`sweeper` knows the limits, and looks after the connections of a process, `turn` after what they write."""
        super().__init__(*arguments, **others)
        self._sweeper = sweeper or Sweeper(Limits())
        self._limits = self._sweeper.limits
        self._turn = turn or Turn()
        self._done: asyncio.Future[None] = self.loop.create_future()
        self._done.set_result(None)
        self._since = 0.0
        """Since when a head or a body is on its way, by the loop's clock; 0 while none is."""
        self._idle_since = 0.0
        """When the last answer left."""
        self._is_body = False
        self._chunk_bytes = 0
        """Of what was received last."""
        self._head_bytes = 0
        """How large the present head is at most."""
        self._other_bytes = 0
        """What of the last piece surely is no part of the present head."""
        self._body_bytes: int | None = None
        """What a chunked body carried so far."""
        self._wire_bytes = 0
        """What it took to say it."""
        self._refusal = RefusedHeadError(HTTPStatus.BAD_REQUEST, "this is not HTTP")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Stand between uvicorn and its transport."""
        super().connection_made(cast("asyncio.Transport", Gathering(transport, self.loop, self._turn)))
        self._since = self.loop.time()
        if not self._sweeper.add(self):
            self.refuse(HTTPStatus.TOO_MANY_REQUESTS, "this address has too many connections")

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Give the app a way to answer of our own."""
        sender = Sender(cycle, self._done)
        super()._start_asgi_task(cycle, lambda scope, receive, _: app(scope, receive, sender.send))

    def connection_lost(self, exc: Exception | None) -> None:
        """Be looked after no longer."""
        self._sweeper.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request."""
        if not self._since:
            self._since = self.loop.time()
        size = self._chunk_bytes = len(data)
        self._other_bytes = 0
        super().data_received(data)
        if self._is_body:
            if self._body_bytes is not None:
                self._check_chunks(size)
        elif self._since:
            self._head_bytes += size - self._other_bytes
            if self._head_bytes > self._limits.max_head_bytes:
                self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head of the request is too large")

    def on_headers_complete(self) -> None:
        """Let through what is clear and in bounds; what is raised here ends in `send_400_response`."""
        is_large = self._head_bytes + self._chunk_bytes > self._limits.max_head_bytes
        try:
            is_chunked = check_head(
                self.url,
                self.headers,
                find_visit(self.scope).fields,
                version=self.parser.get_http_version(),
                limits=self._limits,
                is_large=is_large,
            )
        except RefusedHeadError as refusal:
            self._refusal = refusal
            raise
        self.scope["extensions"] = EXTENSIONS
        self._is_body = True
        if self._head_bytes or not self._since:  # else it came whole, just now
            self._since = self.loop.time()
        self._body_bytes, self._wire_bytes = (0, 0) if is_chunked else (None, 0)
        super().on_headers_complete()
        if is_chunked:
            self.headers = []  # what comes as trailers is no header that anybody checked
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False  # the parser reads nothing behind a request to speak something else

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        if self._body_bytes is not None:
            self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request; what follows in the same piece belongs to the next one."""
        self._is_body = False
        self._since, self._head_bytes = 0.0, 0
        self._other_bytes = self._chunk_bytes
        super().on_message_complete()

    def _check_chunks(self, size: int) -> None:
        self._wire_bytes += size
        if self._wire_bytes > CHUNK_OVERHEAD + self._limits.max_head_bytes + 8 * (self._body_bytes or 0):
            self.refuse(HTTPStatus.BAD_REQUEST, "the chunks of the body say more than they carry")

    def on_response_complete(self) -> None:
        """End an answer as uvicorn does, but for a timer that each would begin and the next request stop: the sweeper looks instead."""
        if self.pipeline:
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self._idle_since = self.loop.time()

    def judge(self, now: float) -> None:
        """Close a connection that is idle, or whose request is on its way, for too long; one that is being answered is not judged."""
        if self.transport.is_closing():
            return
        if not self._since:
            if not self._is_answering() and now - self._idle_since > self.timeout_keep_alive:
                self.transport.close()
            return
        if self.pipeline or (not self._is_body and self._is_answering()):
            self._since = now
        elif now - self._since > (self._limits.receive_body_s if self._is_body else self._limits.receive_head_s):
            self.refuse(HTTPStatus.REQUEST_TIMEOUT, "the request did not arrive in time")

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own words, which are no problem document
        """Refuse what the parser did not take, or what was refused in it."""
        self.refuse(self._refusal.status, str(self._refusal))

    def refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer with a problem, if that is the next thing that the client expects, and close the connection."""
        if self.transport.is_closing():
            return
        marks = self._tell(status)
        if self._is_answerable():
            self._write_problem(status, detail, marks)
        self.transport.close()

    def _tell(self, status: HTTPStatus) -> Headers:
        """Tell whoever observes requests of a refusal; return what they want in every answer."""
        refuse = self.app_state.get(REFUSE)
        if refuse is None:
            return ()
        # Of a head that is no whole one nothing is believed.
        scope = self.scope if self._is_body else {"headers": ()}
        marks: Headers = refuse(scope, status, max(0.0, self.loop.time() - self._since) if self._since else 0.0)
        return marks

    def _is_answering(self) -> bool:
        """Tell whether a request is under way in the app, with all of its body."""
        return self.cycle is not None and not self.cycle.response_complete

    def _is_answerable(self) -> bool:
        """Tell whether nobody has begun to answer, and whoever opened the connection has said something."""
        if self._is_body:
            return not self.pipeline and not self.cycle.response_started
        return not self._is_answering() and self._chunk_bytes > 0

    def _write_problem(self, status: HTTPStatus, detail: str, marks: Headers) -> None:
        answer = answer_status(status, detail=detail, scope={"path": ""})
        head = [
            STATUS_LINE[status].rstrip(),
            b"content-type: " + answer.media_type.encode("ascii"),
            b"content-length: %d" % len(answer.body),
            b"connection: close",
            *(b"%s: %s" % mark for mark in marks if mark[0] != b"connection"),
        ]
        self.transport.write(b"\r\n".join([*head, b"", answer.body]))
