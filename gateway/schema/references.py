"""`$ref: "#/schemas/NAME"`: named schemas of the file, each a resource of its own.

In the file `#/schemas/…` means the file; for the validators every parameter is a root, and every named schema a
resource beside it, so that `#`, `#/$defs/…`, `$anchor` and `$id` keep to the schema they stand in.
"""

import re
from collections.abc import Container, Mapping
from copy import copy
from typing import Any
from urllib.parse import quote, unquote

import jsonschema_rs

from gateway.config.model import Schema
from gateway.schema.vocabulary import LIST_OF_SCHEMAS, MAP_OF_SCHEMAS, ONE_SCHEMA, Steps, find_subschemas, walk_schemas

FILE_PREFIX = "#/schemas/"
NAMED_URI = "gateway:/schemas/"
_WHOLE_URI = "gateway:/whole"
_INDEX = re.compile("0|[1-9][0-9]{0,6}", re.ASCII)


def name_of(reference: object) -> str | None:
    """Return the named schema that a `$ref` means, or None for any other reference."""
    if isinstance(reference, str) and reference.startswith(FILE_PREFIX):
        return reference.removeprefix(FILE_PREFIX)
    return None


def find_used(schema: Schema, *, named: Mapping[str, Schema]) -> dict[str, Schema]:
    """Find the named schemas that a schema uses, directly or through each other."""
    used: dict[str, Schema] = {}
    waiting: list[Schema] = [schema]
    while waiting:
        for _, each in walk_schemas(waiting.pop()):
            name = name_of(each.get("$ref")) if isinstance(each, dict) else None
            if name is not None and name in named and name not in used:
                used[name] = named[name]
                waiting.append(named[name])
    return used


def has_references(schema: Schema) -> bool:
    """Tell whether a schema refers to another, or to itself."""
    return any(isinstance(each, dict) and {"$ref", "$dynamicRef"} & each.keys() for _, each in walk_schemas(schema))


def leads_on(schema: Schema, reference: str, *, anchors: Container[str | None]) -> bool:
    """Tell whether a reference leads to a place of the schema it stands in; `anchors` are the names of places there."""
    if not reference.startswith("#"):
        return False
    fragment = unquote(reference[1:])
    if not fragment.startswith("/"):
        return not fragment or fragment in anchors
    value: Any = schema
    for step in fragment.split("/")[1:]:
        value = _enter(value, step.replace("~1", "/").replace("~0", "~"))
    return isinstance(value, dict | bool)


def _enter(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    is_item = isinstance(value, list) and _INDEX.fullmatch(step) is not None and int(step) < len(value)
    return value[int(step)] if is_item else None


def point(schema: Any, prefix: str) -> Any:
    """Copy a schema with its references to named schemas pointed elsewhere; data inside it is left alone."""
    if not isinstance(schema, dict):
        return schema
    return {keyword: _point_keyword(keyword, value, prefix) for keyword, value in schema.items()}


def move(schema: Any, at: str) -> Any:
    """Copy a schema for a place inside a document, where its references to its own root have to begin with `at`.

    What has an `$id` keeps its own root, and an `$anchor` is found anywhere.
    """
    if not isinstance(schema, dict) or "$id" in schema:
        return schema
    moved = {**schema}
    for steps, inner in find_subschemas(schema):
        holder = moved
        for step in steps[:-1]:
            holder[step] = copy(holder[step])
            holder = holder[step]
        holder[steps[-1]] = move(inner, at)
    reference = schema.get("$ref")
    if isinstance(reference, str) and (reference == "#" or reference.startswith("#/")) and name_of(reference) is None:
        moved["$ref"] = at + reference[1:]
    return moved


def make_validator(
    schema: Schema, *, named: Mapping[str, Schema], at: Steps = ()
) -> jsonschema_rs.Draft202012Validator:
    """Make the validator of one schema, or of the schema `at` some steps inside it.

    Formats assert, patterns run in linear time, nothing is ever fetched.
    Raises: jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError or ValueError for a schema that does not hold.
    """
    used = find_used(schema, named=named)
    resources = [(NAMED_URI + name, _make_resource(each)) for name, each in used.items()]
    root = point(schema, NAMED_URI) if used else schema
    if at:
        inner = ("allOf", 0, *at) if _is_wrapped(root) else at
        resources.append((_WHOLE_URI, _make_resource(root)))
        root = {"$ref": f"{_WHOLE_URI}#{_write_pointer(inner)}"}
    return jsonschema_rs.Draft202012Validator(
        root,
        registry=jsonschema_rs.Registry(resources) if resources else None,
        validate_formats=True,
        ignore_unknown_formats=False,
        pattern_options=jsonschema_rs.RegexOptions(),
        offline=True,
    )


def _write_pointer(steps: Steps) -> str:
    """Write steps as the fragment of a URI."""
    return "".join("/" + quote(str(step).replace("~", "~0").replace("/", "~1")) for step in steps)


def _point_keyword(keyword: str, value: Any, prefix: str) -> Any:
    if keyword == "$ref":
        name = name_of(value)
        return value if name is None else prefix + name
    if keyword in ONE_SCHEMA:
        return point(value, prefix)
    if keyword in LIST_OF_SCHEMAS and isinstance(value, list):
        return [point(item, prefix) for item in value]
    if keyword in MAP_OF_SCHEMAS and isinstance(value, dict):
        return {name: point(item, prefix) for name, item in value.items()}
    return value


def _make_resource(schema: Schema) -> Schema:
    """Make a schema a resource; one with an `$id` of its own is wrapped, as the URI would replace it."""
    pointed: Schema = point(schema, NAMED_URI)
    return {"allOf": [pointed]} if _is_wrapped(pointed) else pointed


def _is_wrapped(schema: Schema) -> bool:
    return isinstance(schema, dict) and "$id" in schema
