"""What a deployment adds to the file: it holds for every task type, and only the environment knows it."""

from msgspec import Struct


class Deployment(Struct, frozen=True, kw_only=True):
    """The surroundings that a catalog is compiled for."""

    default_queue: str = "celery"
    keep_s: int = 604_800
    visibility_timeout_s: int | None = None
    """How long the broker waits for an acknowledgement before it hands a message out again; None where it never does.

    Source: Kombu's Redis transport, `visibility_timeout`: a task that is delayed or runs longer is run twice.
    """
