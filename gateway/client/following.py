"""Following one task to its end, over connections that break.

What comes in: a client and a task. What goes out: each status once, the final one last. Where a connection ends before
that, the next one says `Last-Event-ID`; it may reach another gateway of the same ledger.
"""

import time
from collections.abc import Callable, Iterator

from msgspec import Struct

from gateway.client.answers import Status
from gateway.client.errors import AwayError, ClientError, RefusedError
from gateway.client.events import RETRY, Event, read_events
from gateway.client.http import Client, decode

GIVE_UP_S = 60.0
"""How long a gateway may be away."""
PAUSES_S = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Before each attempt to connect again; the last one for all that follow, and the most that a gateway may ask for."""
_STATUSES = frozenset({"status", "final"})


class Update(Struct, frozen=True, kw_only=True):
    """What was heard of a task."""

    status: Status | None = None
    """None when only the connection is in trouble."""
    body: bytes = b""
    """The status as it was sent."""
    is_final: bool = False
    trouble: str = ""


def follow(
    client: Client, task_id: str, *, give_up_s: float = GIVE_UP_S, pause: Callable[[float], None] = time.sleep
) -> Iterator[Update]:
    """Follow a task; the last update is final.

    Raises: RefusedError when there is no such task, or it is not to be seen; AwayError or RefusedError when no gateway
        has said anything for `give_up_s`; StrangeAnswerError.
    """
    line = _Line()
    while True:
        trouble: ClientError | None = None
        try:
            for event in _listen(client, task_id, last_id=line.last_id):
                line.hear(event)
                if event.kind in _STATUSES:
                    yield _read(event)
                if event.kind == "final":
                    return
        except (AwayError, RefusedError) as error:
            if not error.may_pass:
                raise
            trouble = error
        if time.monotonic() - line.heard_at > give_up_s:
            raise trouble or AwayError(client.url, "its stream ends before the task does")
        if line.attempt:  # one connection that ends is nobody's concern: the next one goes on where it was
            yield Update(trouble=str(trouble or "the stream ended"))
        pause(line.choose_pause())


class _Line:
    """What is known of a stream beyond its connections."""

    def __init__(self) -> None:
        self.last_id = ""
        self.heard_at = time.monotonic()
        self.attempt = 0
        """How many connections have ended since something was heard."""
        self._wish_s = 0.0

    def hear(self, event: Event) -> None:
        if event.kind in _STATUSES:
            self.last_id = event.id
        if event.kind == RETRY:
            self._wish_s = min(int(event.data[:6]) / 1000, PAUSES_S[-1])
        elif event.kind != "bye":  # a gateway that says nothing else is none that is heard
            self.attempt, self.heard_at = 0, time.monotonic()

    def choose_pause(self) -> float:
        """Count an attempt; answer how long to wait before it."""
        pause_s = PAUSES_S[min(self.attempt, len(PAUSES_S) - 1)]
        self.attempt += 1
        return max(pause_s, self._wish_s)


def _listen(client: Client, task_id: str, *, last_id: str) -> Iterator[Event]:
    """Yield the events of one connection."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with client.stream("tasks", task_id, "events", headers=headers) as lines:
        if lines is None:  # what was seen last was the end
            yield Event(kind="final", id=last_id, data=client.get("tasks", task_id).decode())
        else:
            yield from read_events(lines, last_id=last_id)


def _read(event: Event) -> Update:
    body = event.data.encode()
    return Update(status=decode(body, Status), body=body, is_final=event.kind == "final")
