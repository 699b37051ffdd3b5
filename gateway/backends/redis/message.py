"""Celery's message, built by hand: protocol 2 in Kombu's envelope for Redis.

What comes in: a `Launch`. What goes out: the bytes of one list element, as `app.amqp.as_task_v2` and Kombu's
virtual channel would have made them. Pure.
Source: Celery "Task Messages", version 2; kombu/transport/virtual/base.py and redis.py (5.7).
"""

from base64 import b64encode
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gateway.launch.launch import Launch, show_params

MAX_PRIORITY = 9
"""Kombu takes a higher one for this."""
_EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
_ENCODER = msgspec.json.Encoder()


class Headers(Struct, frozen=True, kw_only=True):
    """The headers of protocol 2, in Celery's order."""

    lang: str = "py"
    task: str
    id: str
    shadow: None = None
    eta: str | None
    expires: str | None
    group: None = None
    group_index: None = None
    retries: int = 0
    timelimit: tuple[int | None, int | None]
    root_id: str
    parent_id: None = None
    argsrepr: str = "()"
    kwargsrepr: str
    origin: str
    ignore_result: None = None
    """The task itself decides."""
    replaced_task_nesting: int = 0
    stamped_headers: None = None
    stamps: dict[str, Any] = {}


class DeliveryInfo(Struct, frozen=True, kw_only=True):
    """Where the message goes: the default exchange, straight to the queue."""

    exchange: str = ""
    routing_key: str


class Properties(Struct, frozen=True, kw_only=True):
    """The AMQP properties as Kombu's virtual transports carry them."""

    correlation_id: str
    reply_to: str = ""
    delivery_mode: int = 2
    expiration: str | UnsetType = UNSET
    """Milliseconds until the message expires, for brokers that drop it themselves."""
    delivery_info: DeliveryInfo
    priority: int
    body_encoding: str = "base64"
    delivery_tag: str


class Envelope(Struct, frozen=True, kw_only=True, rename="kebab"):
    """One element of the queue's list."""

    body: str
    content_encoding: str = "utf-8"
    content_type: str = "application/json"
    headers: Headers
    properties: Properties


def build_message(launch: Launch, *, origin: str, delivery_tag: str) -> bytes:
    """Build the list element of a launch."""
    body = _ENCODER.encode(((), launch.params, _EMBED))
    envelope = Envelope(
        body=b64encode(body).decode(),
        headers=build_headers(launch, origin=origin),
        properties=Properties(
            correlation_id=launch.task_id,
            expiration=_count_down(launch),
            delivery_info=DeliveryInfo(routing_key=launch.queue),
            priority=launch.priority or 0,
            delivery_tag=delivery_tag,
        ),
    )
    return _ENCODER.encode(envelope)


def build_headers(launch: Launch, *, origin: str) -> Headers:
    """Build the protocol's headers of a launch."""
    return Headers(
        task=launch.name,
        id=launch.task_id,
        eta=_write_moment(launch.eta),
        expires=_write_moment(launch.expires_at),
        timelimit=(launch.time_limit_s, launch.soft_time_limit_s),
        root_id=launch.lineage.root_id if launch.lineage else launch.task_id,
        kwargsrepr=show_params(launch),
        origin=origin,
    )


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


def _count_down(launch: Launch) -> str | UnsetType:
    if launch.expires_at is None:
        return UNSET
    left_s = (launch.expires_at - launch.launched_at).total_seconds()
    return str(int(max(0.0, left_s) * 1000))


def _write_moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
