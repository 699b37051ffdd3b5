"""Celery's message, built by hand: protocol 2 in Kombu's envelope for Redis.

What comes in: a `Launch`. What goes out: the bytes of one list element, as `app.amqp.as_task_v2` and Kombu's
virtual channel would have made them. Pure. What all messages of a task type share is encoded once, into a template.
Source: Celery "Task Messages", version 2; kombu/transport/virtual/base.py and redis.py (5.7).
"""

from binascii import b2a_base64
from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Struct

from gateway.launch.launch import Launch, show_params
from gateway.launch.trace import Trace

MAX_PRIORITY = 9
"""Kombu takes a higher one for this."""
MAX_TEMPLATES: Final = 4096
_EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
_encode = msgspec.json.Encoder().encode


def build_message(launch: Launch, *, origin: str) -> bytes:
    """Build the list element of a launch; it is ASCII but for what `kwargsrepr` shows."""
    template = _make_template(
        launch.name, launch.queue, launch.priority or 0, (launch.time_limit_s, launch.soft_time_limit_s), origin
    )
    task_id = launch.task_id.encode()
    return template % (
        b2a_base64(_encode(((), launch.params, _EMBED)), newline=False),
        task_id,
        _write_moment(launch.eta),
        _write_moment(launch.expires_at),
        launch.lineage.root_id.encode() if launch.lineage else task_id,
        _encode(show_params(launch)),
        _write_trace(launch.trace) if launch.trace else b"",
        task_id,
        _count_down(launch),
        task_id,
    )


def mark_redelivered(message: bytes, *, retries: int) -> bytes:
    """Say in a message that there may have been one before it, as Kombu does when it puts one back."""
    decoded = msgspec.json.decode(message)
    decoded["headers"] |= {"redelivered": True, "retries": retries}
    decoded["properties"]["delivery_info"]["redelivered"] = True
    return _encode(decoded)


@lru_cache(maxsize=MAX_TEMPLATES)
def _make_template(name: str, queue: str, priority: int, limits: tuple[int | None, int | None], origin: str) -> bytes:
    """Encode what is the same in every message of a task type; `%b` stands where they differ.

    Shape: in the order of `build_message`: body; task id, eta, expires, root id, kwargsrepr, and whole members or nothing
        of the trace (headers); correlation id, expiration as a whole member or nothing, delivery tag (properties). Ids come without quotes, as none needs any
        escape; Kombu only asks of a delivery tag that it be unique, and the task id is.
    """
    fixed = {
        "name": name,
        "limits": limits,
        "origin": origin,
        "delivery": {"exchange": "", "routing_key": queue},
        "priority": priority,
    }
    return _TEMPLATE % {key.encode(): _encode(value).replace(b"%", b"%%") for key, value in fixed.items()}


_TEMPLATE: Final = (
    b'{"body":"%%b","content-encoding":"utf-8","content-type":"application/json","headers":{'
    b'"lang":"py","task":%(name)b,"id":"%%b","shadow":null,"eta":%%b,"expires":%%b,"group":null,"group_index":null,'
    b'"retries":0,"timelimit":%(limits)b,"root_id":"%%b","parent_id":null,"argsrepr":"()","kwargsrepr":%%b,'
    b'"origin":%(origin)b,"ignore_result":null,"replaced_task_nesting":0,"stamped_headers":null,"stamps":{}%%b},'
    b'"properties":{"correlation_id":"%%b","reply_to":"","delivery_mode":2,%%b"delivery_info":%(delivery)b,'
    b'"priority":%(priority)b,"body_encoding":"base64","delivery_tag":"%%b"}}'
)
"""`ignore_result` is left to the task itself."""


class Lanes(Struct, frozen=True, kw_only=True):
    """The Redis lists of a queue: Kombu keeps one for each step of priority."""

    key_prefix: str = ""
    """Celery's `global_keyprefix`."""
    steps: tuple[int, ...] = (0, 3, 6, 9)
    """Celery's `priority_steps`, ascending from 0."""
    separator: str = "\x06\x16"

    def choose(self, queue: str, priority: int | None) -> str:
        """Return the list of a queue for a priority."""
        if not priority:
            return self.key_prefix + queue
        wanted = min(priority, MAX_PRIORITY)
        return self._name(queue, max(step for step in self.steps if step <= wanted))

    def list_all(self, queue: str) -> tuple[str, ...]:
        """Return all lists of a queue."""
        return tuple(self._name(queue, step) for step in self.steps)

    def _name(self, queue: str, step: int) -> str:
        return f"{self.key_prefix}{queue}{self.separator}{step}" if step else f"{self.key_prefix}{queue}"


def _write_trace(trace: Trace) -> bytes:
    """Write the headers of a trace; nothing in a `traceparent` needs an escape."""
    state = b',"tracestate":' + _encode(trace.state) if trace.state else b""
    return b',"traceparent":"%b"%b' % (trace.parent.encode(), state)


def _count_down(launch: Launch) -> bytes:
    """Write the property by which brokers drop expired messages themselves: milliseconds, as text."""
    if launch.expires_at is None:
        return b""
    left_s = (launch.expires_at - launch.launched_at).total_seconds()
    return b'"expiration":"%d",' % (max(0.0, left_s) * 1000)


def _write_moment(moment: datetime | None) -> bytes:
    """Write a moment as `isoformat` does, in a fifth of its time; workers before Python 3.11 cannot read a Z."""
    return b"null" if moment is None else _encode(moment).replace(b"Z", b"+00:00")
