"""A result backend is read, or refused at start with a sentence that says what to do."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.backends.results.choosing import make_results
from gateway.errors import SettingsError
from gateway.status.record import read_found

SUPPORTED = (
    "it may be a Redis (redis://…), an SQL database (db+postgresql://…), memcached (cache+memcached://…), "
    "a folder (file:///…), another of Celery's key-value backends, or disabled"
)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        pytest.param("http://x", f"results in 'http' cannot be read; {SUPPORTED}", id="no backend"),
        pytest.param("nosuch://u:hunter2@x", f"results in 'nosuch' cannot be read; {SUPPORTED}", id="no module"),
        pytest.param("mongodb://x", f"results in 'mongodb' cannot be read; {SUPPORTED}", id="neither keys nor SQL"),
        pytest.param(
            "cache+memory://", f"results in 'cache+memory' cannot be read; {SUPPORTED}", id="memory of one process"
        ),
        pytest.param("s3://x", "You must install boto3 to use s3 backend", id="library of a key-value backend"),
        pytest.param("db+sqlite://", "an SQLite in memory cannot be read by others", id="SQLite in memory"),
        pytest.param(
            "db+postgresql+psycopg://x/y",
            "this database wants the Python module psycopg: install it",
            id="driver of a database",
        ),
        pytest.param(
            "db+nosuch://u:hunter2@x/y",
            "names no database that SQLAlchemy knows: NoSuchModuleError",
            id="no such database",
        ),
        pytest.param("db", "names no database that SQLAlchemy knows: ArgumentError", id="no URL at all"),
        pytest.param("tests.backends.results_app:Any://x", "cannot be used: KeyError", id="module that fails"),
        pytest.param("tests.backends.shelf:Broken://x", "cannot be used: ZeroDivisionError", id="class that fails"),
    ],
)
def test_what_cannot_be_read_is_refused(url: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the password of the URL."""
    monkeypatch.delenv("RESULTS_URLS", raising=False)
    monkeypatch.delitem(sys.modules, "tests.backends.results_app", raising=False)

    with pytest.raises(SettingsError) as caught:
        make_results(url, key_prefix="", deadline_s=5, max_bytes=5000)

    assert str(caught.value).endswith(sentence)
    assert str(caught.value).startswith("GATEWAY_RESULT_URL")
    assert "hunter2" not in str(caught.value)


def test_a_database_wants_sqlalchemy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install."""
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)

    with pytest.raises(SettingsError) as caught:
        make_results("db+sqlite:////x", key_prefix="", deadline_s=5, max_bytes=5000)

    expected = "GATEWAY_RESULT_URL names an SQL database: pip install 'task-gateway[sqlalchemy]' and its driver"
    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("url", "warnings"),
    [
        pytest.param("disabled", (), id="disabled"),
        pytest.param(
            "rpc://",
            ("rpc:// results can be read by nobody but their caller, so that nothing is heard of any task",),
            id="RPC",
        ),
    ],
)
async def test_without_a_backend_nothing_is_ever_heard(url: str, warnings: tuple[str, ...]) -> None:
    """Of any task; a wish for what cannot work is told."""
    results = make_results(url, key_prefix="", deadline_s=5, max_bytes=5000)

    found = await results.find(["a", "b"])
    await results.check()
    whole = await results.load("a")
    results.close()

    assert ([None, None], None, warnings) == (found, whole, results.warnings)


def test_a_memcached_never_gets_what_would_unpickle() -> None:
    """Options of the client that build objects are dropped; its waits are ours."""
    options = {"cache_backend_options": {"serde": object(), "deserializer": object(), "no_delay": True}}
    results = make_results(
        "cache+memcached://127.0.0.1:1/", key_prefix="shop", deadline_s=1, max_bytes=5000, options=options
    )

    backend = results._reader._find_backend()  # type: ignore[union-attr] # it is a keyed one
    results.close()

    assert {"no_delay": True, "connect_timeout": 0.5, "timeout": 1} == backend.options
    assert "shop_celery-task-meta-x" == backend.get_key_for_task("x")


async def test_a_database_is_read_as_celerys_own_settings_say(tmp_path: Path) -> None:
    """Its table, its schema, its engine's options and whoever wants to see the engine."""
    path, seen = tmp_path / "results.db", list[object]()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE shop (task_id TEXT, status TEXT, result BLOB)")
        connection.execute("INSERT INTO shop VALUES ('a', 'SUCCESS', '7')")
        connection.commit()
    options = {
        "database_table_names": {"task": "shop"},
        "database_table_schemas": {"task": "main"},
        "database_engine_options": {"echo": False, "connect_args": {"cached_statements": 7}},
        "database_engine_callback": seen.append,
        "database_url": f"sqlite:///{path}",
    }
    results = make_results("database", key_prefix="", deadline_s=5, max_bytes=5000, options=options)

    found = await results.find(["a"])
    results.close()

    assert [7] == [read_found(raw).result for raw in found if raw is not None]
    assert 1 == len(seen)
