"""`$ref: "#/schemas/NAME"`: named schemas of the file, each a resource of its own.

In the file `#/schemas/…` means the file; for the validator every named schema and every parameter is a document of
its own, so that `#`, `#/$defs/…` and `$anchor` stay within it.
"""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from gateway.config.model import Schema
from gateway.schema.vocabulary import LIST_OF_SCHEMAS, MAP_OF_SCHEMAS, ONE_SCHEMA

FILE_PREFIX = "#/schemas/"
NAMED_URI = "gateway:/schemas/"
PARAMETER_URI = "gateway:/parameters/"


def name_of(reference: object) -> str | None:
    """Return the named schema that a `$ref` means, or None for any other reference."""
    if isinstance(reference, str) and reference.startswith(FILE_PREFIX):
        return reference.removeprefix(FILE_PREFIX)
    return None


def point(schema: Any, prefix: str) -> Any:
    """Copy a schema with its references to named schemas pointed elsewhere; data inside it is left alone."""
    if not isinstance(schema, dict):
        return schema
    return {keyword: _point_keyword(keyword, value, prefix) for keyword, value in schema.items()}


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


def make_registry(parameters: Mapping[str, Schema], named: Mapping[str, Schema]) -> jsonschema_rs.Registry:
    """Register every parameter and named schema under its own URI."""
    resources = [(NAMED_URI + name, point(schema, NAMED_URI)) for name, schema in named.items()]
    resources += [(PARAMETER_URI + name, point(schema, NAMED_URI)) for name, schema in parameters.items()]
    return jsonschema_rs.Registry(resources)


def make_validator(schema: Schema, registry: jsonschema_rs.Registry) -> jsonschema_rs.Draft202012Validator:
    """Make a validator: formats assert, patterns run in linear time, nothing is ever fetched.

    Raises: jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError or ValueError for a schema that does not hold.
    """
    return jsonschema_rs.Draft202012Validator(
        schema,
        registry=registry,
        validate_formats=True,
        ignore_unknown_formats=False,
        pattern_options=jsonschema_rs.RegexOptions(),
        offline=True,
    )
