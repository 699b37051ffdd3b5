"""How the lists of a Redis broker are named, and whoever writes into them, as the settings say."""

import os
import socket

from gateway.backends.redis.message import Lanes
from gateway.settings import Settings, read_steps


def make_lanes(settings: Settings) -> Lanes:
    """Describe the lists of queues."""
    return Lanes(
        key_prefix=settings.broker_key_prefix,
        steps=read_steps(settings.priority_steps),
        separator=settings.priority_separator,
    )


def name_origin() -> str:
    """Name this process, as the origin of messages."""
    return f"{os.getpid()}@{socket.gethostname()}"
