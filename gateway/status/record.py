"""Celery's result record, read as untrusted data.

What comes in: the bytes under `celery-task-meta-…`. What goes out: a `ResultRecord` of plain JSON values.
No class named in a record is ever looked up or built, and no record makes this raise.
"""

import json
import math
import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from gateway.ports import Found

MAX_DEPTH = 64
MAX_STATUS = 64
UNREADABLE_MARK = "gateway:unreadable"
"""Member of a record whose result a backend could not read, though all the rest."""
# Kombu wraps what JSON lacks as {"__type__": …, "__value__": …}; the value alone is readable.
_ENVELOPES = ("datetime", "date", "time", "uuid", "decimal", "set", "bytes", "base64")


class ResultRecord(Struct, frozen=True, kw_only=True):
    """One record of the result backend."""

    status: str
    result: Any = None
    traceback: str | None = None
    finished_at: datetime | None = None
    worker: str | None = None
    retries: int | None = None
    is_readable: bool = True
    """False when the bytes, or those of the result alone, were not the JSON that Celery writes."""
    is_whole: bool = True
    """False when it was too large to be read whole; then its result, and what stands far behind it, is missing."""


UNREADABLE = ResultRecord(status="UNKNOWN", is_readable=False)
# Celery writes the status first; of a record that is too large this is what its two ends tell.
_STATUS = re.compile(rb'\{\s*"status":\s*"([A-Za-z0-9_.: -]{1,64})"')
_MEMBER = rb'"%b":\s*("(?:[^"\\]|\\.)*"|-?\d+)'
_TAIL = {name: re.compile(_MEMBER % name.encode()) for name in ("date_done", "worker", "retries")}


def read_found(found: Found) -> ResultRecord:
    """Read one record, or the two ends of one that is too large."""
    return read_record(found.head) if found.is_whole else _read_ends(found)


def read_record(raw: bytes) -> ResultRecord:
    """Read one record; what cannot be read is `UNREADABLE`."""
    try:
        meta, is_safe = _load(raw)
    except (ValueError, RecursionError):
        return UNREADABLE
    return read_meta(meta, is_safe=is_safe)


def read_meta(meta: object, *, is_safe: bool = False) -> ResultRecord:
    """Read a record that has been parsed; `is_safe` says that all of it can be shown as it is."""
    if not isinstance(meta, dict) or not isinstance(meta.get("status"), str):
        return UNREADABLE
    return ResultRecord(
        status=_clean(meta["status"][:MAX_STATUS]),
        result=meta.get("result") if is_safe else make_safe(meta.get("result")),
        traceback=_as(meta.get("traceback"), str),
        finished_at=_read_moment(meta.get("date_done")),
        worker=_as(meta.get("worker"), str),
        retries=_as(meta.get("retries"), int),
        is_readable=meta.get(UNREADABLE_MARK) is not True,
    )


def _read_ends(found: Found) -> ResultRecord:
    status = _STATUS.match(found.head)
    if status is None:
        return UNREADABLE
    ends = {name: matches[-1] for name, pattern in _TAIL.items() if (matches := pattern.findall(found.tail))}
    try:
        members = {name: json.loads(raw) for name, raw in ends.items()}
    except ValueError:
        members = {}
    record = read_meta({"status": status[1].decode("ascii"), **members})
    return msgspec.structs.replace(record, is_whole=False)


def make_safe(value: object, *, depth: int = 0) -> Any:
    """Turn whatever JSON's lax cousins allow into what JSON can say: NaN and infinities become null."""
    if depth > MAX_DEPTH or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, dict):
        return _make_object_safe(value, depth + 1)
    if isinstance(value, list):
        return [make_safe(item, depth=depth + 1) for item in value]
    return _clean(value) if isinstance(value, str) else value


def _make_object_safe(value: dict[Any, Any], depth: int) -> Any:
    if value.keys() == {"__type__", "__value__"} and value["__type__"] in _ENVELOPES:
        return make_safe(value["__value__"], depth=depth)
    return {_clean(key): make_safe(item, depth=depth) for key, item in value.items()}


def _load(raw: bytes) -> tuple[Any, bool]:
    """Parse a record, and tell whether it can be shown as it is: strict JSON, not deep, without an envelope of Kombu's."""
    try:
        meta = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Python writes NaN and lone surrogates that strict JSON refuses; its own reader takes them back.
        return json.loads(raw), False
    return meta, raw.find(b"__type__") < 0 and raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH


def _clean(text: str) -> str:
    return text.encode(errors="replace").decode() if not text.isascii() else text


def _as(value: object, kind: type) -> Any:
    return value if type(value) is kind else None


def _read_moment(value: object) -> datetime | None:
    if isinstance(value, dict):
        value = value.get("__value__")
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
