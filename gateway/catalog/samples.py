"""A value of the type that a schema declares, to try a rule on; it need not be one that the schema accepts."""

from collections.abc import Mapping
from typing import Any

from gateway.config import Schema

_FORMATS = {
    "date": "2026-01-31", "date-time": "2026-01-31T12:00:00Z", "time": "12:00:00Z", "duration": "P1D",
    "uuid": "01890000-0000-7000-8000-000000000000", "ipv4": "127.0.0.1", "ipv6": "::1", "uri": "https://example.org/",
}  # fmt: skip
_SIMPLE = {"boolean": True, "integer": 1, "number": 1.5, "null": None}
_DEPTH = 8


class UnsureError(ValueError):
    """Raised when a schema does not say of what type its values are."""


def make_sample(schema: Schema, *, named: Mapping[str, Schema], depth: int = 0) -> Any:
    """Make a value of the declared type.

    Raises: UnsureError.
    """
    if not isinstance(schema, dict) or depth > _DEPTH:
        raise UnsureError
    for keyword in ("const", "default"):
        if keyword in schema:
            return schema[keyword]
    for keyword in ("enum", "examples"):
        if schema.get(keyword):
            return schema[keyword][0]
    reference = schema.get("$ref", "")
    if isinstance(reference, str) and reference.removeprefix("#/schemas/") in named:
        return make_sample(named[reference.removeprefix("#/schemas/")], named=named, depth=depth + 1)
    return _make_typed(schema, named, depth)


def _make_typed(schema: dict[str, Any], named: Mapping[str, Schema], depth: int) -> Any:
    kinds = schema.get("type")
    kind = next((each for each in kinds if each != "null"), None) if isinstance(kinds, list) else kinds
    if kind == "string":
        return _FORMATS.get(schema.get("format", ""), "a")
    if kind == "array":
        return [make_sample(schema.get("items", True), named=named, depth=depth + 1)]
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: make_sample(each, named=named, depth=depth + 1) for name, each in properties.items()}
    if kind in _SIMPLE:
        return schema.get("minimum", _SIMPLE[kind]) if kind in {"integer", "number"} else _SIMPLE[kind]
    raise UnsureError
