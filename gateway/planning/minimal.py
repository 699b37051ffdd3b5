"""The least params that a task type accepts, found by trying: an example for those who wrote none.

What comes in: the schema that callers see, and a test. What goes out: params, and whether they passed it.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

_TEXTS = ("a", "1", "A", "a1", "test", "76123456-7", "a@example.org", "https://example.org/", "2026-01-31", "2026-01",
          "2026-01-31T12:00:00Z", "12:00:00Z", "P1D", "01890000-0000-7000-8000-000000000000", "127.0.0.1", "::1",
          "example.org", "/a", "0/a", "#fff", "1.0.0", "+56900000000", "AAA", "000", "")  # fmt: skip
"""Texts of the common formats, to be tried on a pattern or a format."""
_NUMBERS = (1, 0, -1, 0.5, 10, 100, 1000, 2026)
_MAX_TRIES = 200
_MAX_DEPTH = 8


def make_params(shown: Mapping[str, Any], *, is_sound: Callable[[str, Any], bool]) -> dict[str, Any]:
    """Make a value for each required parameter; the first candidate stands where none is sound.

    Shape: `shown` is the schema of the params object with its `$defs`; `is_sound` is asked with a name and a value.
    """
    params: dict[str, Any] = {}
    for name in shown["required"]:
        candidates = list(islice(_propose(shown["properties"][name], shown.get("$defs", {}), 0), _MAX_TRIES))
        params[name] = next((value for value in candidates if is_sound(name, value)), (candidates or [None])[0])
    return params


def _propose(schema: Any, named: Mapping[str, Any], depth: int) -> Iterator[Any]:
    """Propose values, the likeliest first."""
    if depth > _MAX_DEPTH or schema is False:
        return
    if schema is True:
        schema = {}
    for keyword in ("const", "default"):
        if keyword in schema:
            yield schema[keyword]
    for keyword in ("examples", "enum"):
        yield from schema.get(keyword, ())
    parts = [named[each.rpartition("/")[2]] for each in [schema.get("$ref", "")] if each.rpartition("/")[2] in named]
    parts += [each for keyword in ("anyOf", "oneOf", "allOf") for each in schema.get(keyword, ())]
    rest = {key: value for key, value in schema.items() if key not in {"$ref", "anyOf", "oneOf", "allOf"}}
    for part in parts:
        yield from _propose({**rest, **part} if isinstance(part, dict) else part, named, depth + 1)
    kinds = schema.get("type", ["string", "integer", "object", "array", "boolean", "null"])
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        yield from _propose_typed(kind, schema, named, depth)


def _propose_typed(kind: str, schema: dict[str, Any], named: Mapping[str, Any], depth: int) -> Iterator[Any]:
    match kind:
        case "string":
            yield from _propose_texts(schema)
        case "integer" | "number":
            yield from _propose_numbers(schema)
        case "array":
            yield from _propose_lists(schema, named, depth)
        case "object":
            members = {
                name: next(_propose(schema.get("properties", {}).get(name, True), named, depth + 1), None)
                for name in schema.get("required", ())
            }
            yield members
        case "boolean":
            yield from (True, False)
        case _:
            yield None


def _propose_texts(schema: dict[str, Any]) -> Iterator[str]:
    least = min(schema.get("minLength", 0), 1000)
    for text in _TEXTS:
        yield text
        if len(text) < least:
            yield (text or "a") * (least // max(len(text), 1)) + (text or "a")[: least % max(len(text), 1)]


def _propose_numbers(schema: dict[str, Any]) -> Iterator[Any]:
    for keyword, step in (("minimum", 0), ("exclusiveMinimum", 1), ("maximum", 0), ("exclusiveMaximum", -1)):
        if keyword in schema:
            yield schema[keyword] + step
    yield from (schema[keyword] for keyword in ("multipleOf",) if keyword in schema)
    yield from _NUMBERS


def _propose_lists(schema: dict[str, Any], named: Mapping[str, Any], depth: int) -> Iterator[Any]:
    first = [next(_propose(each, named, depth + 1), None) for each in schema.get("prefixItems", ())]
    least = min(schema.get("minItems", 0), 100)
    yield first[:least] if least else []
    items = list(islice(_propose(schema.get("items", True), named, depth + 1), least + 1))
    yield (first + items)[: least or 1]
    if items:
        yield [*first, *[items[0]] * least][: least or 1]
