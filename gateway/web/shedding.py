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
from gateway.web.visit import find_visit

ALWAYS = frozenset({"/health/live", "/health/startup", "/health/ready", "/metrics"})
BODIES = 64
"""How many bodies of the greatest size may be held at once."""
SMALL_DIGITS = 3
"""A body whose length has so many digits is not counted: the bound on requests is bound enough."""
UNKNOWN = b"unknown"
"""The length of a body that comes in chunks."""


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
            await send_answer(answer_error(OverloadedError(), scope=scope), send)
            return
        self.under_way += 1
        visit = find_visit(scope)
        visit.place = place = _Place(self)
        if len(visit.fields.get(b"content-length", UNKNOWN)) > SMALL_DIGITS:
            receive = place.count(receive)
        try:
            await self._app(scope, receive, send)
        finally:
            self._leave(place)

    def _leave(self, place: "_Place") -> None:
        if place.is_parked:
            self.waiting -= 1
            self._forget_wait(place.caller)
        else:
            self.under_way -= 1
        self._held_bytes -= place.held_bytes

    def park(self, caller: str) -> None:
        """Count a request of a caller among those that wait, no longer among those that work.

        Raises: OverloadedError when there are too many; TooManyWaitsError when these are the caller's own, if it is told apart.
        """
        if self.waiting >= self._max_waits:
            raise OverloadedError
        if caller:
            if self._waiting_of[caller] >= self._max_waits_per_caller:
                raise TooManyWaitsError
            self._waiting_of[caller] += 1
        self.waiting += 1
        self.under_way -= 1

    def _forget_wait(self, caller: str) -> None:
        if caller:
            self._waiting_of[caller] -= 1
            if not self._waiting_of[caller]:
                del self._waiting_of[caller]

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
    if visit.place is not None:
        visit.place.park(visit.caller)


class _Place:
    """The place of one request, and the bytes of its body.

    It stands in the scope and so must not hold what holds that: a cycle per request is work for the collector, which stops
    everything for some 60 ms every few thousand requests.
    """

    __slots__ = ("_shedder", "caller", "held_bytes", "is_parked")

    def __init__(self, shedder: Shedder) -> None:
        self.held_bytes = 0
        self.is_parked = False
        self.caller = ""
        self._shedder = shedder

    def park(self, caller: str) -> None:
        if not self.is_parked:
            self._shedder.park(caller)
            self.is_parked, self.caller = True, caller

    def count(self, receive: Receive) -> Receive:
        """Return what receives a body and counts it as it comes in."""

        async def receive_counted() -> Any:
            message = await receive()
            if body := message.get("body"):
                self._shedder.hold(len(body))
                self.held_bytes += len(body)
            return message

        return receive_counted
