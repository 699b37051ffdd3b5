"""Cursors: where a page ended, as a text that means nothing to whoever passes it back.

What comes in: a place in a source. What goes out: a text, and from that text the place again; whatever else is given for a
cursor is refused as a fault of the query.
"""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from gateway.errors import Fault, RefusedParamsError
from gateway.history.filters import Filters, digest
from gateway.history.sources import Source
from gateway.launch.task_id import is_task_id

LONGEST: Final = 256
_STREAM_PLACE = re.compile(r"[1-9][0-9]{0,14}-[0-9]{1,15}\.[0-9]{1,3}")
_CHAIN_PLACE = re.compile(r"[0-9]{1,9}")


class Cursor(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last place that was looked at."""

    source: str
    position: str
    filters: str
    """Digest of the filters it belongs to."""


def write_cursor(source: Source, position: str, filters: Filters) -> str:
    """Write where to go on."""
    raw = msgspec.json.encode(Cursor(source.name, position, digest(filters)))
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def read_cursor(text: str, sources: Sequence[Source], filters: Filters, *, pointer: str) -> tuple[Source, str]:
    """Read where to go on: the source and the position in it.

    Raises: RefusedParamsError when it is no cursor, or one of another query.
    """
    cursor = _decode(text)
    if cursor is None:
        raise _refuse(pointer, "wanted the next_cursor of an earlier page")
    source = next((each for each in sources if each.name == cursor.source), None)
    if source is None or cursor.filters != digest(filters):
        raise _refuse(pointer, "this cursor belongs to a query with other filters")
    if not _is_position(source, cursor.position):
        raise _refuse(pointer, "wanted the next_cursor of an earlier page")
    return source, cursor.position


def _decode(text: str) -> Cursor | None:
    if len(text) > LONGEST or not text.isascii():
        return None
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return msgspec.json.decode(raw, type=Cursor)
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _is_position(source: Source, position: str) -> bool:
    kind = source.indexes[0].kind
    if kind == "chain":
        return _CHAIN_PLACE.fullmatch(position) is not None
    return is_task_id(position) if kind in {"open", "ended"} else _STREAM_PLACE.fullmatch(position) is not None


def _refuse(pointer: str, detail: str) -> RefusedParamsError:
    return RefusedParamsError((Fault(pointer=pointer, code="cursor", detail=detail),))
