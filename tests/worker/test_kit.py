"""What the kit needs, and where it finds the ledger."""

import json
import subprocess
import sys

import pytest
from celery import Celery

from gateway.worker import install, is_revoked, progress
from gateway.worker.connecting import connect, find_url

LOADED = "import json, sys; import gateway.worker; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def test_nothing_of_the_gateway_is_loaded_beside_it() -> None:
    """A worker gets Celery and redis-py, which it has."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, check=True, text=True)

    loaded = set(json.loads(done.stdout))
    assert {"celery", "redis", "gateway"} <= loaded
    assert {"litestar", "msgspec", "structlog", "uvicorn", "jsonschema_rs"}.isdisjoint(loaded)


@pytest.mark.parametrize(
    ("broker", "backend", "environment", "wanted"),
    [
        ("redis://a/0", "redis://b/0", {"GATEWAY_REDIS_URL": "redis://c/1"}, "redis://c/1"),
        ("redis://a/0", "redis://b/0", {}, "redis://a/0"),
        ("amqp://a", "rediss://b/0", {}, "rediss://b/0"),
        ("sentinel://a;sentinel://b", None, {"GATEWAY_REDIS_URL": ""}, "sentinel://a;sentinel://b"),
    ],
    ids=["what is said", "the broker", "the results", "sentinels"],
)
def test_the_ledger_is_found_as_a_gateway_finds_it(
    broker: str, backend: str | None, environment: dict[str, str], wanted: str
) -> None:
    """What is said of it, else the first Redis."""
    app = Celery(broker=broker, backend=backend, set_as_current=False)

    assert wanted == find_url(app, environment)


def test_an_app_without_any_redis_is_refused() -> None:
    """At once, with what to do."""
    app = Celery(broker="amqp://a", backend="rpc://", set_as_current=False)

    with pytest.raises(ValueError, match=r"set GATEWAY_REDIS_URL, or call install\(app, url=…\)"):
        install(app)


@pytest.mark.parametrize("options", [{"lease_s": 0.5}, {"wait_s": -1}, {"without_ledger": "drop"}])
def test_settings_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    """A lease that nobody could renew in time, a wait before now, a word that means nothing."""
    app = Celery(broker="redis://a", set_as_current=False)

    with pytest.raises(ValueError, match="lease_s is at least 1"):
        install(app, **options)  # type: ignore[arg-type]


def test_sentinels_name_the_master() -> None:
    """User, password and database of the last URL are the master's."""
    client = connect("sentinel://a:1;sentinel://u:p@b:2/3", master="main")

    assert {"db": 3, "username": "u", "password": "p"}.items() <= client.connection_pool.connection_kwargs.items()


def test_outside_of_a_task_nothing_is_said() -> None:
    """Code that is shared with tasks may say and ask all the same."""
    progress(1, 2, "half")

    assert not is_revoked()
