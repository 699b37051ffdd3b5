"""Requests, read strictly: the framework's own conversion is lenient and is not used."""

from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from msgspec import Struct

from gateway.config.words import show_type
from gateway.errors import Fault, MalformedBodyError, RefusedParamsError
from gateway.launch.text import read_text
from gateway.schema import check_count, parse_body
from gateway.web.answers import JSON, Receive, Scope
from gateway.web.problems import DisconnectedError, TooLargeError, UnsupportedMediaTypeError
from gateway.web.visit import Fields, Visit, find_visit

Q = TypeVar("Q", bound=Struct)
MAX_QUERY_MEMBERS = 32
SMALL_DIGITS = 3
"""A body whose length has so few digits is small enough to be read before it is judged."""
_JSON = JSON.encode()
_JSON_TYPES = frozenset({_JSON, b"application/json;charset=utf-8"})


class NoQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of routes that take none."""


class Bounds(Struct, frozen=True, kw_only=True):
    """How much a body may hold."""

    max_body_bytes: int
    max_values: int


async def read_body(visit: Visit, receive: Receive, *, bounds: Bounds) -> bytes:
    """Read a whole body that says it is JSON, for somebody else to parse.

    Raises: UnsupportedMediaTypeError; TooLargeError; MalformedBodyError for too many values; DisconnectedError.
    """
    fields = visit.fields
    check_media_type(fields)
    max_bytes = bounds.max_body_bytes
    declared = fields.get(b"content-length", b"")
    if len(declared) > SMALL_DIGITS and declared.isdigit() and int(declared) > max_bytes:
        raise TooLargeError
    message = await receive()
    is_whole = message["type"] == "http.request" and not message.get("more_body")
    body: bytes = message.get("body", b"") if is_whole else await _read_rest(message, receive, max_bytes=max_bytes)
    if len(body) > max_bytes:
        raise TooLargeError
    check_count(body, most=bounds.max_values)
    return body


async def _read_rest(message: Any, receive: Receive, *, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise DisconnectedError("the client left before its body had arrived")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > max_bytes:
            raise TooLargeError
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


def find_header(visit: Visit, name: bytes) -> str | None:
    """Return the first header of a name in small letters, or None."""
    value = visit.fields.get(name)
    return None if value is None else str(value, "latin-1")


async def read_json(request: Request[Any, Any, Any], *, bounds: Bounds, empty: Any = None) -> Any:
    """Read the JSON body of a framework's request; `empty`, if given, stands for an absent one.

    Raises: UnsupportedMediaTypeError; MalformedBodyError; RefusedParamsError for Kombu's envelope.
    """
    raw = await request.body()
    if not raw and empty is not None:
        return empty
    check_media_type(find_visit(request.scope).fields)
    check_count(raw, most=bounds.max_values)
    return parse_body(raw)


def check_media_type(fields: Fields) -> None:
    """Take JSON only, and only when it says so: a browser cannot send that across sites unasked.

    Raises: UnsupportedMediaTypeError.
    """
    declared = fields.get(b"content-type", b"")
    if declared != _JSON and declared.replace(b" ", b"").replace(b'"', b"").lower() not in _JSON_TYPES:
        raise UnsupportedMediaTypeError("send the body with Content-Type: application/json")
    if b"content-encoding" in fields and fields[b"content-encoding"].lower() != b"identity":
        raise UnsupportedMediaTypeError("send the body without Content-Encoding")


def read_query(scope: Scope, kind: type[Q], *, but: frozenset[str] = frozenset()) -> Q:
    """Read a query string into a struct; the members named in `but` are read by somebody else.

    Raises: RefusedParamsError for every unknown, repeated or ill-typed member, with pointers under `/query`.
    """
    if not scope["query_string"]:
        return kind()
    given = {name: value for name, value in read_query_members(scope).items() if name not in but}
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    faults = [
        Fault(pointer=f"/query/{name}", code="additionalProperties", detail="no such member", expected=sorted(fields))
        for name in given
        if name not in fields
    ]
    read: dict[str, Any] = {}
    for name in given.keys() & fields.keys():
        try:
            read[name] = read_text(given[name], fields[name].type)
        except msgspec.ValidationError:
            detail = f"wanted {show_type(fields[name].type)}"
            faults.append(Fault(pointer=f"/query/{name}", code="type", detail=detail))
    if faults:
        raise RefusedParamsError(tuple(faults))
    return kind(**read)


def read_query_members(scope: Scope) -> dict[str, str]:
    """Split a query string.

    Raises: MalformedBodyError when it is not UTF-8 or too long; RefusedParamsError when a member stands twice.
    """
    try:
        text = scope["query_string"].decode("ascii")
        members = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_MEMBERS)
    except ValueError as error:
        raise MalformedBodyError("the query string is not UTF-8, or has too many members") from error
    names = [name for name, _ in members]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        faults = (Fault(pointer=f"/query/{name[:128]}", code="duplicate", detail="given twice") for name in twice)
        raise RefusedParamsError(tuple(faults))
    return dict(members)
