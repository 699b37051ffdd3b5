"""Load shedding: what a process cannot hold is refused early, before it takes memory.

What comes in: ASGI. What goes out: 503 at once for requests beyond the limit, and for bodies beyond what may be held in
all; whether the gateway lives is always told.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.errors import OverloadedError, TooManyWaitsError
from gateway.web.answers import Receive, Scope, Send, send_answer
from gateway.web.problems import answer_error
from gateway.web.reading import SMALL_DIGITS
from gateway.web.visit import Visit, find_visit

ALWAYS = frozenset({"/health/live", "/health/startup", "/health/ready", "/metrics"})
BODIES = 64
"""How many bodies of the greatest size may be held at once."""


class Shedder:
    """Lets through as many requests as the process may hold."""

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        *,
        max_requests: int,
        max_waits: int,
        max_waits_per_caller: int | None = None,
        max_body_bytes: int,
    ) -> None:
        self._app = app
        self._max_requests = max_requests
        self._max_held_bytes = max_body_bytes * BODIES
        self._max_waits = max_waits
        self._max_waits_per_caller = max_waits if max_waits_per_caller is None else max_waits_per_caller
        self._waiting_of: Counter[str] = Counter()
        self.under_way = 0
        """Requests that work."""
        self.waiting = 0
        """Requests that wait for a task."""
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if self.under_way >= self._max_requests and scope["path"] not in ALWAYS:
            await send_answer(answer_error(OverloadedError(), scope=scope), scope, send)
            return
        self.under_way += 1
        visit = find_visit(scope)
        visit.shedder = self
        fields = visit.fields
        # Of what is smaller, or has no body at all, the bound on requests is bound enough.
        if len(fields.get(b"content-length", b"")) > SMALL_DIGITS or b"transfer-encoding" in fields:
            receive = self._count(visit, receive)
        try:
            await self._app(scope, receive, send)
        finally:
            if visit.is_parked:
                self.waiting -= 1
                self._forget_wait(visit.caller)
            else:
                self.under_way -= 1
            self._held_bytes -= visit.held_bytes

    def park(self, visit: Visit) -> None:
        """Count a request among those that wait, no longer among those that work.

        Raises: OverloadedError when there are too many; TooManyWaitsError when these are the caller's own, if it is told apart.
        """
        if visit.is_parked:
            return
        caller = visit.caller
        if self.waiting >= self._max_waits:
            raise OverloadedError
        if caller:
            if self._waiting_of[caller] >= self._max_waits_per_caller:
                raise TooManyWaitsError
            self._waiting_of[caller] += 1
        self.waiting += 1
        self.under_way -= 1
        visit.is_parked = True

    def _forget_wait(self, caller: str) -> None:
        if caller:
            self._waiting_of[caller] -= 1
            if not self._waiting_of[caller]:
                del self._waiting_of[caller]

    def _count(self, visit: Visit, receive: Receive) -> Receive:
        """Return what receives a body and counts it as it comes in."""

        async def receive_counted() -> Any:
            message = await receive()
            if body := message.get("body"):
                self.hold(len(body))
                visit.held_bytes += len(body)
            return message

        return receive_counted

    def hold(self, count: int) -> None:
        """Count bytes of a body.

        Raises: OverloadedError when there are too many.
        """
        if self._held_bytes + count > self._max_held_bytes:
            raise OverloadedError
        self._held_bytes += count


def park(scope: Scope) -> None:
    """Let a request wait without taking the place of one that works.

    Raises: OverloadedError when too many wait already; TooManyWaitsError when too many of its caller do.
    """
    visit = find_visit(scope)
    if visit.shedder is not None:
        visit.shedder.park(visit)
