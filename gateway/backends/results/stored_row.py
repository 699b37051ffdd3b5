"""A row of Celery's SQL result backend as the record that its other backends would hold. Pure.

What comes in: the columns as they are stored. What goes out: one JSON object. A pickle is never loaded: it is read opcode by
opcode, and only one that says nothing but a single string is understood.
"""

import json
import pickletools
from datetime import datetime, tzinfo
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.status.record import UNREADABLE_MARK

_FRAMING: Final = frozenset({"PROTO", "FRAME", "MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT", "STOP"})
_VALUES: Final = frozenset(
    {"SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "NONE"}
)
_PICKLED: Final = b"\x80"
"""How every pickle since protocol 2 begins; no JSON does."""


class UnreadableError(ValueError):
    """Raised for a stored value that is not JSON, nor one plain string within a pickle."""


class StoredRow(Struct, frozen=True, kw_only=True):
    """What is kept of one task, as the driver hands it over; SQLite keeps anything in any column."""

    task_id: str
    status: Any = None
    result: Any = None
    traceback: Any = None
    date_done: Any = None
    worker: Any = None
    retries: Any = None


def write_record(row: StoredRow, *, zone: tzinfo) -> bytes:
    """Write the record of a row; a result that cannot be read is left out, and marked.

    Units: a moment without a zone is one of `zone`, in which Celery's app keeps them.
    """
    members: dict[str, Any] = {"status": _as(row.status, str) or "PENDING"}
    try:
        members["result"] = msgspec.Raw(_read_result(row.result))
    except UnreadableError:
        members |= {"result": None, UNREADABLE_MARK: True}
    members |= {
        "traceback": _as(row.traceback, str),
        "date_done": _read_moment(row.date_done, zone),
        "worker": _as(row.worker, str),
        "retries": _as(row.retries, int),
        "task_id": row.task_id,
    }
    return msgspec.json.encode(members)


def _as(value: object, kind: type) -> Any:
    return value if type(value) is kind else None


def _read_moment(value: object, zone: tzinfo) -> str | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return (value if value.tzinfo else value.replace(tzinfo=zone)).isoformat()


def _read_result(value: object) -> bytes:
    """Return the JSON of a result.

    Source: Celery stores the encoded bytes as they are since 5.7, and within a pickle before (its issue 3025).
    Raises: UnreadableError.
    """
    if value is None:
        return b"null"
    if not isinstance(value, bytes | bytearray | memoryview | str):
        raise UnreadableError(type(value).__name__)
    stored = value.encode(errors="replace") if isinstance(value, str) else bytes(value)
    if stored.startswith(_PICKLED):
        said = _read_pickle(stored)
        if not isinstance(said, bytes):
            return msgspec.json.encode(said)
        stored = said
    _check_json(stored)
    return stored


def _read_pickle(stored: bytes) -> bytes | str | None:
    """Return the one string, or None, that a pickle says; nothing is built from anything else.

    Raises: UnreadableError.
    """
    values: list[Any] = []
    try:
        for opcode, argument, _ in pickletools.genops(stored):
            if opcode.name in _VALUES:
                values.append(argument)
            elif opcode.name not in _FRAMING:
                raise UnreadableError(opcode.name)
            if len(values) > 1:
                raise UnreadableError("more than one value")
    except (ValueError, UnicodeError, IndexError, OverflowError) as error:
        raise UnreadableError("no pickle") from error
    if not values:
        raise UnreadableError("no value")
    value: bytes | str | None = values[0]
    return value


def _check_json(stored: bytes) -> None:
    """Let through one whole JSON value, as Python's own writer makes them.

    Raises: UnreadableError.
    """
    try:
        msgspec.json.decode(stored)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        _check_lax_json(stored)


def _check_lax_json(stored: bytes) -> None:
    try:
        json.loads(stored.decode())  # takes the NaN that Python writes, and no second value behind the first
    except (ValueError, RecursionError) as error:
        raise UnreadableError("no JSON") from error
