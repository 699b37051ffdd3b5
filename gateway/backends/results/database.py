"""Celery's SQL result backend, read with SQLAlchemy's core; the only importer of SQLAlchemy.

What comes in: ids. What goes out: records as the other backends hold them. It reads one table, writes nothing and makes
nothing: neither a table nor an SQLite file.
"""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from celery import Celery
from celery.utils.imports import symbol_by_name
from msgspec import Struct
from sqlalchemy import DateTime, Integer, LargeBinary, String, Text, create_engine, inspect, literal, select, table
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError
from sqlalchemy.sql.expression import TableClause, column
from sqlalchemy.types import NullType, TypeEngine

from gateway.backends.results.stored_row import StoredRow, write_record
from gateway.errors import SettingsError

TABLE: Final = "celery_taskmeta"
AT_ONCE: Final = 500
"""Ids in one SELECT; SQLite once took 999 parameters at most."""
_COLUMNS: Final[dict[str, TypeEngine[Any]]] = {
    "task_id": String(),
    "status": String(),
    # What SQLite keeps may be of any type, and is taken as it is.
    "result": LargeBinary().with_variant(NullType(), "sqlite"),
    "traceback": Text(),
    "date_done": DateTime().with_variant(NullType(), "sqlite"),
    "worker": String(),
    "retries": Integer(),
}
_DRIVER_WAITS: Final = {
    "psycopg": ("connect_timeout",),
    "psycopg2": ("connect_timeout",),
    "pymysql": ("connect_timeout", "read_timeout"),
    "mysqldb": ("connect_timeout", "read_timeout"),
}
"""What drivers call the waits that they can bound, in whole seconds."""


def connect_to_database(url: str, app: Celery, *, setting: str, deadline_s: float) -> "DatabaseReader":
    """Make the reader of a database as a Celery app describes it; nothing is connected yet.

    Raises: SettingsError naming the `setting` when the URL names no database, or one whose driver is not installed.
    """
    conf = app.conf
    names, schemas = conf.database_table_names or {}, conf.database_table_schemas or {}
    of = TableName(name=names.get("task") or TABLE, schema=schemas.get("task"))
    try:
        if make_url(url).get_backend_name() == "sqlite" and make_url(url).database in {None, "", ":memory:"}:
            raise SettingsError(f"{setting}: an SQLite in memory cannot be read by others")
        reader = DatabaseReader(
            url, of=of, zone=app.timezone, options=conf.database_engine_options or {}, deadline_s=deadline_s
        )
    except ModuleNotFoundError as error:
        raise SettingsError(f"{setting}: this database wants the Python module {error.name}: install it") from error
    except (SQLAlchemyError, TypeError) as error:  # TypeError: an engine option that the dialect does not know
        raise SettingsError(f"{setting} names no database that SQLAlchemy knows: {type(error).__name__}") from error
    callback = conf.database_engine_callback
    if callback is not None:
        symbol_by_name(callback)(reader.engine)
    return reader


class TableName(Struct, frozen=True, kw_only=True):
    """Where Celery keeps its results; others than its own are set by `database_table_names` and `…_schemas`."""

    name: str = TABLE
    schema: str | None = None


class DatabaseReader:
    """Reads rows by task id."""

    def __init__(self, url: str, *, of: TableName, zone: tzinfo, options: Mapping[str, Any], deadline_s: float) -> None:
        """Connect to nothing yet. `options` are those of Celery's `database_engine_options`.

        Raises: SQLAlchemyError, ImportError when the URL names no database whose driver is installed.
        """
        self._of = of
        self._zone = zone
        parsed = make_url(url)
        self._file = _find_file(parsed)
        arguments = {**_bound_waits(parsed, deadline_s), **options.get("connect_args", {})}
        self.engine: Engine = create_engine(
            _open_read_only(parsed, self._file), **{**options, "connect_args": arguments}
        )
        self._table: TableClause | None = None
        """Known once it has been seen."""

    def read(self, task_ids: Sequence[str]) -> list[bytes | None]:
        """Return the records of tasks; nothing has been heard of any while there is no table."""
        if self._is_missing():
            return [None] * len(task_ids)
        found: dict[str, bytes] = {}
        with self.engine.connect() as connection:
            source = self._find_table(connection)
            if source is not None:
                for start in range(0, len(task_ids), AT_ONCE):
                    found |= self._select(connection, source, task_ids[start : start + AT_ONCE])
        return [found.get(task_id) for task_id in task_ids]

    def look(self) -> tuple[str, ...]:
        """Ask for nothing, and for the table."""
        if self._is_missing():
            return ("the file of the results does not exist, so that nothing is heard of any task",)
        with self.engine.connect() as connection:
            connection.execute(select(literal(1)))
            if self._find_table(connection) is None:
                return (f"there is no table {self._of.name} yet, so that nothing is heard of any task",)
        return ()

    def close(self) -> None:
        """Close the connections that no thread uses."""
        self.engine.dispose()

    def _is_missing(self) -> bool:
        return self._file is not None and not self._file.exists()

    def _find_table(self, connection: Connection) -> TableClause | None:
        if self._table is None:
            try:
                present = {each["name"] for each in inspect(connection).get_columns(self._of.name, self._of.schema)}
            except NoSuchTableError:
                return None
            columns = (column(name, kind) for name, kind in _COLUMNS.items() if name in present)
            self._table = table(self._of.name, *columns, schema=self._of.schema)
        return self._table

    def _select(self, connection: Connection, source: TableClause, task_ids: Sequence[str]) -> dict[str, bytes]:
        try:
            rows = connection.execute(select(source).where(source.c.task_id.in_(task_ids))).mappings().all()
        except SQLAlchemyError:
            self._table = None  # whatever was known of it may have changed
            raise
        return {row["task_id"]: write_record(StoredRow(**row), zone=self._zone) for row in rows}


def _find_file(url: URL) -> Path | None:
    """Return the file of an SQLite URL that names it plainly."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database.startswith((":", "file:")):
        return None
    return Path(url.database).absolute()


def _open_read_only(url: URL, file: Path | None) -> URL:
    """Have SQLite open a file only where there is one; by itself it would make it."""
    if file is None:
        return url
    return url.set(database=f"file:{quote(str(file))}", query={**url.query, "mode": "ro", "uri": "true"})


def _bound_waits(url: URL, deadline_s: float) -> dict[str, Any]:
    """Bound the waits of a driver, where it is known how: a call that outlives its deadline holds its thread."""
    if url.get_backend_name() == "sqlite":
        return {"timeout": deadline_s}
    names = _DRIVER_WAITS.get(url.get_driver_name(), ())
    return {name: max(2, round(deadline_s)) for name in names if name not in url.query}
