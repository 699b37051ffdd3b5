"""Redis clients with a deadline, and the one place where redis-py's errors become ours."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import redis.exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from gateway.errors import BackendError


def connect(url: str, *, deadline_s: float) -> Redis:
    """Make a client for a URL; nothing is sent before its first command.

    Units: no single wait of the client is longer than `deadline_s`; nothing is sent twice.
    """
    return Redis.from_url(
        url.replace("redis+socket://", "unix://", 1),
        socket_timeout=deadline_s,
        socket_connect_timeout=deadline_s / 2,
        retry=Retry(NoBackoff(), 0),
        client_name="task-gateway",
        protocol=2,
        # With these notifications on, redis-py takes a readable idle connection for a sound one: also a closed one.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )


@contextmanager
def translated(to: type[BackendError], what: str) -> Iterator[None]:
    """Turn any failure of redis-py, or a deadline that passed, into `to`; the cause stays chained."""
    try:
        yield
    except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
        raise to(f"{what} {explain(error)}") from error


@asynccontextmanager
async def guarded(to: type[BackendError], what: str, *, deadline_s: float) -> AsyncIterator[None]:
    """Give several commands one deadline, and translate their errors."""
    with translated(to, what):
        async with asyncio.timeout(deadline_s):
            yield


def explain(error: Exception) -> str:
    """Say in a few words what ails a Redis, without its address or any payload."""
    if str(error).startswith("MISCONF"):
        return "cannot save to its disk"
    return next((_CAUSES[kind] for kind in type(error).__mro__ if kind in _CAUSES), "refuses the command")


_CAUSES: dict[type, str] = {
    redis.exceptions.OutOfMemoryError: "is out of memory",
    redis.exceptions.ReadOnlyError: "is a read-only replica",
    redis.exceptions.AuthenticationError: "refuses the password, or wants one",
    redis.exceptions.NoPermissionError: "forbids this command to its user",
    redis.exceptions.BusyLoadingError: "is still loading its data",
    redis.exceptions.MaxConnectionsError: "has no connection left",
    redis.exceptions.TimeoutError: "does not answer in time",
    redis.exceptions.ConnectionError: "cannot be reached",
    TimeoutError: "does not answer in time",
    OSError: "cannot be reached",
}
"""The nearest class along an error's class order decides."""
