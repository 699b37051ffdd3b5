"""A schema that somebody else wrote, made one that `tasks.yaml` takes.

What comes in: the JSON Schema of a model, as pydantic or msgspec write it. What goes out: the same without words that the
reader does not know, and its definitions apart, so that they can stand at the root of the parameter.
"""

from collections.abc import Mapping
from typing import Any

from gateway.schema.vocabulary import FORMATS, KEYWORDS, LIST_OF_SCHEMAS, MAP_OF_SCHEMAS, ONE_SCHEMA

_DEFS = "#/$defs/"
_NOISE = frozenset({"title", "$schema", "$comment"})


def take_apart(schema: Mapping[str, Any], *, taken: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a schema and its definitions; one whose name is taken by another gets a new name."""
    definitions = {name: _adapt(each, {}) for name, each in schema.get("$defs", {}).items()}
    names = {name: _find_name(name, each, taken) for name, each in definitions.items()}
    renamed = {names[name]: _adapt(each, names) for name, each in definitions.items()}
    return _adapt({key: value for key, value in schema.items() if key != "$defs"}, names), renamed


def _find_name(name: str, schema: Any, taken: Mapping[str, Any]) -> str:
    candidate, count = name, 1
    while candidate in taken and taken[candidate] != schema:
        count += 1
        candidate = f"{name}{count}"
    return candidate


def _adapt(schema: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(schema, dict):
        return schema
    return {
        keyword: _adapt_value(keyword, value, names)
        for keyword, value in schema.items()
        if keyword in KEYWORDS - _NOISE and not (keyword == "format" and value not in FORMATS)
    }


def _adapt_value(keyword: str, value: Any, names: Mapping[str, str]) -> Any:
    if keyword == "$ref" and isinstance(value, str) and value.startswith(_DEFS):
        name = value.removeprefix(_DEFS)
        return _DEFS + names.get(name, name)
    if keyword in ONE_SCHEMA:
        return _adapt(value, names)
    if keyword in LIST_OF_SCHEMAS:
        return [_adapt(each, names) for each in value]
    if keyword in MAP_OF_SCHEMAS:
        return {name: _adapt(each, names) for name, each in value.items()}
    return value
