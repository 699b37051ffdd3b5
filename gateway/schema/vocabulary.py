"""The keywords of JSON Schema 2020-12: which hold subschemas, which only say something, which are gone.

Nothing is ignored: a keyword that stands in no table here is an issue.
Source: json-schema.org, draft 2020-12, core and validation vocabularies.
"""

from collections.abc import Iterator
from typing import Any

Steps = tuple[str | int, ...]

ONE_SCHEMA = frozenset(
    {"items", "additionalProperties", "contains", "not", "if", "then", "else", "propertyNames", "unevaluatedItems",
     "unevaluatedProperties", "contentSchema"}
)  # fmt: skip
LIST_OF_SCHEMAS = frozenset({"prefixItems", "allOf", "anyOf", "oneOf"})
MAP_OF_SCHEMAS = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
ASSERTIONS = frozenset(
    {"type", "enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength",
     "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems", "minContains", "maxContains",
     "minProperties", "maxProperties", "required", "dependentRequired"}
)  # fmt: skip
ANNOTATIONS = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment",
     "contentEncoding", "contentMediaType"}
)  # fmt: skip
REFERENCES = frozenset({"$ref", "$dynamicRef", "$id", "$anchor", "$dynamicAnchor", "$schema"})
KEYWORDS = ONE_SCHEMA | LIST_OF_SCHEMAS | MAP_OF_SCHEMAS | ASSERTIONS | ANNOTATIONS | REFERENCES

FORMATS = frozenset(
    {"date", "time", "date-time", "duration", "email", "idn-email", "uuid", "uri", "uri-reference", "iri",
     "iri-reference", "uri-template", "hostname", "idn-hostname", "ipv4", "ipv6", "json-pointer",
     "relative-json-pointer", "regex"}
)  # fmt: skip
"""All of them assert."""

OLD_KEYWORDS = {
    "definitions": "2020-12 says `$defs`",
    "dependencies": "2020-12 says `dependentRequired` or `dependentSchemas`",
    "additionalItems": "2020-12 says `items` beside `prefixItems`",
    "$recursiveRef": "2020-12 says `$dynamicRef`",
    "$recursiveAnchor": "2020-12 says `$dynamicAnchor`",
    "id": "2020-12 says `$id`",
    "nullable": 'JSON Schema says `type: [string, "null"]`',
    "divisibleBy": "2020-12 says `multipleOf`",
    "$vocabulary": "it belongs into a metaschema",
}


def find_subschemas(schema: Any) -> Iterator[tuple[Steps, Any]]:
    """Yield the direct subschemas of a schema with the steps that lead to each."""
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        if keyword in ONE_SCHEMA:
            yield (keyword,), value
        elif keyword in LIST_OF_SCHEMAS and isinstance(value, list):
            for index, item in enumerate(value):
                yield (keyword, index), item
        elif keyword in MAP_OF_SCHEMAS and isinstance(value, dict):
            for name, item in value.items():
                yield (keyword, name), item


def walk_schemas(schema: Any, steps: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Yield a schema and every schema inside it."""
    yield steps, schema
    for more, inner in find_subschemas(schema):
        yield from walk_schemas(inner, (*steps, *more))
