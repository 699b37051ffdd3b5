"""Redis clients with a deadline, and the one place where redis-py's errors become ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import redis.exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from gateway.errors import BackendError, Reason
from gateway.settings import DEFAULT_MASTER

PROBE_KEEP_S: Final = 60
MAX_CONNECTIONS: Final = 32
"""Beyond that a command waits for a free one; the publisher needs one."""
SENTINEL: Final = "sentinel://"
SENTINEL_PORT: Final = 26379
_CERTIFICATE_WORDS = {"CERT_REQUIRED": "required", "CERT_OPTIONAL": "optional", "CERT_NONE": "none"}


def connect(url: str, *, deadline_s: float, sentinel_master: str = DEFAULT_MASTER) -> Redis:
    """Make a client for a URL as Celery writes it; nothing is sent before its first command.

    Units: no single wait of the client is longer than `deadline_s`; nothing is sent twice.
    """
    options: dict[str, Any] = {
        "socket_timeout": deadline_s,
        "socket_connect_timeout": deadline_s / 2,
        "retry": Retry(NoBackoff(), 0),
        "client_name": "task-gateway",
        "protocol": 2,
        # With these notifications on, redis-py takes a readable idle connection for a sound one: also a closed one.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    if url.startswith(SENTINEL):
        return _connect_through_sentinels(url, sentinel_master, options)
    pool = BlockingConnectionPool.from_url(
        translate_url(url), max_connections=MAX_CONNECTIONS, timeout=deadline_s, **options
    )
    return Redis.from_pool(pool)


def translate_url(url: str) -> str:
    """Turn what Celery writes differently from redis-py: sockets, their databases, and the words for certificates."""
    parts = urlsplit(url)
    scheme = "unix" if parts.scheme in {"redis+socket", "socket"} else parts.scheme
    members = [
        ("db" if name == "virtual_host" else name, _CERTIFICATE_WORDS.get(value, value))
        for name, value in parse_qsl(parts.query)
    ]
    return urlunsplit(parts._replace(scheme=scheme, query=urlencode(members)))


def _connect_through_sentinels(url: str, master: str, options: dict[str, Any]) -> Redis:
    """Follow the master that the sentinels name; user, password and database of the URL are the master's."""
    nodes = [urlsplit(each) for each in url.split(";") if each]
    last = nodes[-1]
    sentinel = Sentinel(  # type: ignore[no-untyped-call] # redis-py left it out
        [(each.hostname or "127.0.0.1", each.port or SENTINEL_PORT) for each in nodes],
        # Not the retries that redis-py would make: the next sentinel is the better try.
        sentinel_kwargs={
            "socket_timeout": options["socket_timeout"] / 4,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
        },
        username=last.username,
        password=last.password,
        db=int(last.path.strip("/") or 0),
        **options,
    )
    return cast("Redis", sentinel.master_for(master, redis_class=_ThroughSentinels))


class _ThroughSentinels(Redis):
    """A client that also closes its connections to the sentinels."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001 - redis-py's own signature
        await super().aclose(close_connection_pool)
        for node in self.connection_pool.sentinel_manager.sentinels:  # type: ignore[attr-defined]
            await node.aclose()


class Translated:
    """Turns any failure of redis-py, or a deadline that passed, into a failure of ours; the cause stays chained.

    It holds nothing, so that one serves all: a context manager made of a generator for each read cost as much as a tenth of it.
    """

    def __init__(self, to: type[BackendError], what: str) -> None:
        self._to = to
        self._what = what

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Translate an error.

        Raises: the BackendError.
        """
        if error is not None and isinstance(error, redis.exceptions.RedisError | OSError | TimeoutError):
            raise blame(error, to=self._to, what=self._what) from error


@asynccontextmanager
async def guarded(to: type[BackendError], what: str, *, deadline_s: float) -> AsyncIterator[None]:
    """Give several commands one deadline, and translate their errors."""
    with Translated(to, what):
        async with asyncio.timeout(deadline_s):
            yield


async def check_write(client: Redis, key: str, *, to: type[BackendError], what: str, deadline_s: float) -> None:
    """Return when a server takes a write: one that is full or read-only answers a ping all the same.

    A key that the server keeps from this user says nothing of the keys that matter.
    Raises: `to`.
    """
    async with guarded(to, what, deadline_s=deadline_s):
        with suppress(redis.exceptions.NoPermissionError):
            await client.set(key, b"", ex=PROBE_KEEP_S)


def blame(error: Exception, *, to: type[BackendError], what: str) -> BackendError:
    """Say in a few words what ails a Redis, without its address or any payload."""
    signed = (found for sign, found in _SIGNS.items() if str(error).startswith(sign))
    caused = (_CAUSES[kind] for kind in type(error).__mro__ if kind in _CAUSES)
    reason, ailment = next(signed, None) or next(caused, ("refused", "refuses the command"))
    return to(f"{what} {ailment}", reason=reason)


_SIGNS: dict[str, tuple[Reason, str]] = {
    "MISCONF": ("cannot_save", "cannot save to its disk"),
    "OOM": ("full", "is out of memory"),
    "READONLY": ("read_only", "is a read-only replica"),
    "NOREPLICAS": ("read_only", "has too few replicas"),
    "max number of clients": ("busy", "has no connection left"),
}
"""How the server's own words begin; a script passes them on behind a class that says nothing."""
_CAUSES: dict[type, tuple[Reason, str]] = {
    redis.exceptions.OutOfMemoryError: ("full", "is out of memory"),
    redis.exceptions.ReadOnlyError: ("read_only", "is a read-only replica"),
    redis.exceptions.AuthenticationError: ("login", "refuses the password, or wants one"),
    redis.exceptions.NoPermissionError: ("login", "forbids this command to its user"),
    redis.exceptions.BusyLoadingError: ("unavailable", "is still loading its data"),
    redis.exceptions.MaxConnectionsError: ("busy", "has no connection left"),
    redis.exceptions.TimeoutError: ("unavailable", "does not answer in time"),
    redis.exceptions.ConnectionError: ("unavailable", "cannot be reached"),
    TimeoutError: ("unavailable", "does not answer in time"),
    OSError: ("unavailable", "cannot be reached"),
}
"""The nearest class along an error's class order decides."""
