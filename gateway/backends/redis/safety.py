"""What a Redis is set to, as far as accepted launches depend on it.

What comes in: a client. What goes out: one sentence for each setting under which launches can vanish. It only reads.
Source: Redis documentation, "Persistence" and "Key eviction"; Celery keeps its queues as ordinary keys.
"""

from typing import Any

import redis.exceptions
from redis.asyncio import Redis

from gateway.backends.redis.connection import guarded
from gateway.errors import LedgerUnavailableError

_PATTERNS = ("appendonly", "maxmemory", "maxmemory-policy", "save")


async def find_dangers(client: Redis, *, deadline_s: float) -> tuple[str, ...]:
    """Find the settings under which launches can vanish; nothing where the server does not tell its settings.

    Raises: LedgerUnavailableError when it does not answer.
    """
    async with guarded(LedgerUnavailableError, "Redis", deadline_s=deadline_s):
        try:
            settings: dict[Any, Any] = {}
            for pattern in _PATTERNS:
                settings |= await client.config_get(pattern)
        except redis.exceptions.ResponseError:
            return ("it does not tell its settings: whether it keeps what it accepts is not known",)
    return judge({str(name): str(value) for name, value in settings.items()})


def judge(settings: dict[str, str]) -> tuple[str, ...]:
    """Say what is dangerous about settings, by the names of `CONFIG GET`."""
    dangers = []
    if settings.get("appendonly") != "yes":
        kept = "only snapshots are kept" if settings.get("save") else "nothing is kept"
        dangers.append(f"appendonly is off and {kept}: what was accepted is lost when it dies")
    policy = settings.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        full = "as soon as memory is full" if settings.get("maxmemory", "0") != "0" else "once maxmemory is set"
        dangers.append(f"maxmemory-policy is {policy}: ledger rows and queues are evicted {full}")
    return tuple(dangers)
