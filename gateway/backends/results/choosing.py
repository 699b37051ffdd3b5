"""Which reader a result backend's URL asks for, or why there is none.

What comes in: `GATEWAY_RESULT_URL` of anything but a Redis, and what an existing Celery app says of its backend. What goes
out: the results port. Nothing is connected.
"""

import importlib.util
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from celery import Celery
from celery.app.backends import by_url
from celery.backends.base import BaseKeyValueStoreBackend
from celery.exceptions import ImproperlyConfigured

from gateway.backends.results.blocking_results import BlockingResults, Reader
from gateway.backends.results.disabled import DisabledResults
from gateway.backends.results.keyed import KeyedReader
from gateway.errors import SettingsError

_SETTING: Final = "GATEWAY_RESULT_URL"
_SUPPORTED: Final = (
    "a Redis (redis://…), an SQL database (db+postgresql://…), memcached (cache+memcached://…), a folder (file:///…), "
    "another of Celery's key-value backends, or disabled"
)
_OF_ONE_CALLER: Final = "rpc:// results can be read by nobody but their caller, so that nothing is heard of any task"
_DATABASE_WORDS: Final = ("db", "database")
_DESERIALIZERS: Final = ("serde", "serializer", "deserializer")
"""Options of a memcached client with which it would build objects, from pickles too."""


def make_results(
    url: str, *, key_prefix: str, deadline_s: float, max_bytes: int, options: Mapping[str, Any] | None = None
) -> BlockingResults | DisabledResults:
    """Make the results port of a backend that is no Redis; `options` are Celery's own, by their names.

    Raises: SettingsError in one sentence when such results cannot be read, or something has to be installed for it.
    """
    scheme = urlsplit(url).scheme or url
    if scheme in {"disabled", "rpc"}:
        return DisabledResults(warnings=(_OF_ONE_CALLER,) if scheme == "rpc" else ())
    app = _make_app(url, key_prefix=key_prefix, deadline_s=deadline_s, options=options or {})
    is_database = scheme.partition("+")[0] in _DATABASE_WORDS
    reader = _make_database_reader(url, app, deadline_s=deadline_s) if is_database else _make_keyed_reader(url, app)
    return BlockingResults(reader, deadline_s=deadline_s, max_bytes=max_bytes)


def _make_app(url: str, *, key_prefix: str, deadline_s: float, options: Mapping[str, Any]) -> Celery:
    """Make the app that Celery's backends want to be made with; it has no broker and no task."""
    app = Celery("task-gateway-results", backend=url, set_as_current=False)
    app.conf.update(options)
    cache = {name: value for name, value in app.conf.cache_backend_options.items() if name not in _DESERIALIZERS}
    app.conf.update(
        accept_content=["json"],
        result_serializer="json",
        cache_backend_options={**cache, "connect_timeout": deadline_s / 2, "timeout": deadline_s},
    )
    if key_prefix:
        app.conf.result_backend_transport_options = {"global_keyprefix": key_prefix}
    return app


def _make_keyed_reader(url: str, app: Celery) -> KeyedReader:
    """Make the reader of a class that may be anybody's: importing and making it run foreign code."""
    try:
        found, rest = by_url(url, app.loader)
    except (ImproperlyConfigured, ImportError, AttributeError) as error:
        raise _refuse(url) from error
    except Exception as error:
        raise _complain(error) from error
    if not issubclass(found, BaseKeyValueStoreBackend) or url.startswith("cache+memory"):
        raise _refuse(url)
    try:
        return KeyedReader(app, found, rest)
    except ImproperlyConfigured as error:
        raise SettingsError(f"{_SETTING}: {' '.join(str(error).split())}") from error
    except Exception as error:
        raise _complain(error) from error


def _make_database_reader(url: str, app: Celery, *, deadline_s: float) -> Reader:
    if importlib.util.find_spec("sqlalchemy") is None:
        raise SettingsError(f"{_SETTING} names an SQL database: pip install 'task-gateway[sqlalchemy]' and its driver")
    # SQLAlchemy may be missing, so nothing else can import this.
    from gateway.backends.results.database import connect_to_database  # noqa: PLC0415 - see above

    address = url.partition("+")[2] or app.conf.database_url
    return connect_to_database(address, app, setting=_SETTING, deadline_s=deadline_s)


def _complain(error: Exception) -> SettingsError:
    return SettingsError(f"{_SETTING} cannot be used: {type(error).__name__}")


def _refuse(url: str) -> SettingsError:
    named = urlsplit(url).scheme or url.partition("://")[0]
    return SettingsError(f"{_SETTING}: results in {named[:64]!r} cannot be read; it may be {_SUPPORTED}")
