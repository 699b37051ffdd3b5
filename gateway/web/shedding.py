"""Load shedding: what a process cannot hold is refused early, before it takes memory.

What comes in: ASGI. What goes out: 503 at once for requests beyond the limit, and for bodies beyond what may be held in
all; whether the gateway lives is always told.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from gateway.errors import OverloadedError
from gateway.web.answers import Receive, Scope, Send, send_answer
from gateway.web.problems import answer_error

ALWAYS = frozenset({"/health/live", "/health/ready"})
BODIES = 64
"""How many bodies of the greatest size may be held at once."""


class Shedder:
    """Lets through as many requests as the process may hold."""

    def __init__(
        self, app: Callable[[Scope, Receive, Send], Awaitable[None]], *, max_requests: int, max_body_bytes: int
    ) -> None:
        self._app = app
        self._max_requests = max_requests
        self._max_held_bytes = max_body_bytes * BODIES
        self._under_way = 0
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if self._under_way >= self._max_requests and scope["path"] not in ALWAYS:
            await send_answer(answer_error(OverloadedError(), path=scope["path"]), send)
            return
        self._under_way += 1
        held = _Held(self, receive)
        try:
            await self._app(scope, held.receive, send)
        finally:
            self._under_way -= 1
            self._held_bytes -= held.count

    def hold(self, count: int) -> None:
        """Count bytes of a body.

        Raises: OverloadedError when there are too many.
        """
        if self._held_bytes + count > self._max_held_bytes:
            raise OverloadedError
        self._held_bytes += count


class _Held:
    """The body of one request, counted as it comes in."""

    __slots__ = ("_receive", "_shedder", "count")

    def __init__(self, shedder: Shedder, receive: Receive) -> None:
        self.count = 0
        self._receive = receive
        self._shedder = shedder

    async def receive(self) -> Any:
        message = await self._receive()
        if body := message.get("body"):
            self._shedder.hold(len(body))
            self.count += len(body)
        return message
