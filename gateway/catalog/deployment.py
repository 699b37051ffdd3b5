"""What a deployment adds to the file: it holds for every task type, and only the environment knows it."""

from collections.abc import Callable

from msgspec import Struct

from gateway.config.rates import Rate


class Route(Struct, frozen=True, kw_only=True):
    """Where an existing Celery app sends a task."""

    queue: str
    priority: int | None = None
    is_plain: bool = True
    """False when the message is more than JSON on the default exchange: only Celery itself can write it."""


RouteTask = Callable[[str, str | None], Route]
"""Routes a Celery name, and the queue that the file names for it, as an existing app does."""


class Deployment(Struct, frozen=True, kw_only=True):
    """The surroundings that a catalog is compiled for."""

    default_queue: str = "celery"
    keep_s: int = 604_800
    visibility_timeout_s: int | None = None
    """How long the broker waits for an acknowledgement before it hands a message out again; None where it never does.

    Source: Kombu's Redis transport, `visibility_timeout`: a task that is delayed or runs longer is run twice.
    """
    rate_limit: Rate | None = None
    """How often a caller may launch, whatever it is."""
    route: RouteTask | None = None
    """None without an existing app."""
