"""Following one task to its end, over connections that break.

What comes in: a client and a task. What goes out: each status once, the final one last. Where a connection ends before
that, the next one says `Last-Event-ID`; it may reach another gateway of the same ledger.
"""

import time
from collections.abc import Callable, Iterator

from msgspec import Struct

from gateway.client.answers import Status
from gateway.client.errors import AwayError, ClientError, RefusedError
from gateway.client.events import Event, read_events
from gateway.client.http import Client, decode

GIVE_UP_S = 60.0
"""How long a gateway may be away."""
PAUSES_S = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Before each attempt to connect again; the last one for all that follow."""


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
    last_id, attempt, heard_at = "", 0, time.monotonic()
    while True:
        trouble: ClientError | None = None
        try:
            for event in _listen(client, task_id, last_id=last_id):
                attempt, heard_at = 0, time.monotonic()
                if event.kind not in {"status", "final"}:
                    continue
                last_id = event.id
                yield _read(event)
                if event.kind == "final":
                    return
        except (AwayError, RefusedError) as error:
            if isinstance(error, RefusedError) and not error.may_pass:
                raise
            trouble = error
        if time.monotonic() - heard_at > give_up_s:
            raise trouble or AwayError(client.url, "its stream ends before the task does")
        if attempt:  # one connection that ends is nobody's concern: the next one goes on where it was
            yield Update(trouble=str(trouble or "the stream ended"))
        pause(PAUSES_S[min(attempt, len(PAUSES_S) - 1)])
        attempt += 1


def _listen(client: Client, task_id: str, *, last_id: str) -> Iterator[Event]:
    """Yield the events of one connection."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with client.stream("tasks", task_id, "events", headers=headers) as lines:
        yield from read_events(lines, last_id=last_id)


def _read(event: Event) -> Update:
    body = event.data.encode()
    return Update(status=decode(body, Status), body=body, is_final=event.kind == "final")
