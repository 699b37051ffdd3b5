"""Where the ledger is, and a client of it that never waits for long."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from celery import Celery
from redis import Redis, Sentinel
from redis.backoff import NoBackoff
from redis.retry import Retry

SCHEMES: Final = ("redis://", "rediss://", "unix://", "sentinel://")
PREFIX: Final = "gateway:"
MASTER: Final = "mymaster"
SENTINEL_PORT: Final = 26379
DEADLINE_S: Final = 2.0
"""Longest wait for one answer of Redis."""


def find_url(app: Celery, environment: Mapping[str, str]) -> str:
    """Find the ledger's Redis as a gateway does: what is said of it, else the first Redis of broker and results.

    Raises: ValueError when there is none.
    """
    said = (environment.get("GATEWAY_REDIS_URL"), app.conf.broker_write_url, app.conf.result_backend)
    found = next((each for each in said if isinstance(each, str) and each.startswith(SCHEMES)), None)
    if found is None:
        raise ValueError("the ledger's Redis is not known: set GATEWAY_REDIS_URL, or call install(app, url=…)")
    return found


def connect(url: str, *, master: str, deadline_s: float = DEADLINE_S) -> Redis:
    """Make a client; nothing is sent before its first command, and nothing is sent twice."""
    options: dict[str, Any] = {
        "decode_responses": True,
        "socket_timeout": deadline_s,
        "socket_connect_timeout": deadline_s / 2,
        "retry": Retry(NoBackoff(), 0),
        "client_name": "task-gateway-worker",
    }
    if not url.startswith("sentinel://"):
        return Redis.from_url(url, **options)
    nodes = [urlsplit(each) for each in url.split(";") if each]
    sentinel = Sentinel(  # type: ignore[no-untyped-call] # redis-py left it out
        [(each.hostname or "127.0.0.1", each.port or SENTINEL_PORT) for each in nodes],
        sentinel_kwargs={"socket_timeout": deadline_s / 2},
        username=nodes[-1].username,
        password=nodes[-1].password,
        db=int(nodes[-1].path.strip("/") or 0),
        **options,
    )
    client: Redis = sentinel.master_for(master)  # type: ignore[no-untyped-call] # as above
    return client
