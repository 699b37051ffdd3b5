"""The JSON Schema of tasks.yaml itself, for editors: written from the structs that the reader reads into."""

from typing import Any

import msgspec

from gateway.config.model import Parameter, TasksFile

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_META = "https://json-schema.org/draft/2020-12/meta"
_SCHEMA = {"$ref": "#/$defs/Schema"}
_VALUES = {
    "core": ("$id", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$comment"),
    "validation": (
        "type", "enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
        "minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "minContains", "maxContains",
        "minProperties", "maxProperties", "required", "dependentRequired",
    ),
    "meta-data": ("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"),
    "format-annotation": ("format",),
    "content": ("contentEncoding", "contentMediaType"),
}  # fmt: skip
"""The keywords that hold no schema, by the vocabulary of the standard that says what they do hold."""
_ONE_SCHEMA = (
    "items", "additionalProperties", "contains", "not", "if", "then", "else", "propertyNames", "unevaluatedItems",
    "unevaluatedProperties", "contentSchema",
)  # fmt: skip
_LIST_OF_SCHEMAS = ("prefixItems", "allOf", "anyOf", "oneOf")
_MAP_OF_SCHEMAS = ("properties", "patternProperties", "dependentSchemas", "$defs")
_KEYWORDS: dict[str, Any] = {
    "$schema": {"enum": [DRAFT, f"{DRAFT}#"]},
    **{name: {"$ref": f"{_META}/{part}#/properties/{name}"} for part, names in _VALUES.items() for name in names},
    **dict.fromkeys(_ONE_SCHEMA, _SCHEMA),
    **{name: {"type": "array", "minItems": 1, "items": _SCHEMA} for name in _LIST_OF_SCHEMAS},
    **{name: {"type": "object", "additionalProperties": _SCHEMA} for name in _MAP_OF_SCHEMAS},
}
_OURS = {
    "required": {
        "description": "Must a caller give it? When left out: unless it has a default. A list is JSON Schema's own.",
        "anyOf": [{"type": "boolean"}, {"$ref": f"{_META}/validation#/$defs/stringArray"}],
    },
    "secret": {"description": "The value reaches the worker and nothing else.", "type": "boolean"},
}


def write_editor_schema() -> dict[str, Any]:
    """Write the schema: structure only, as what a schema or a rule means needs the whole file."""
    (root,), components = msgspec.json.schema_components([TasksFile], ref_template="#/$defs/{name}")
    for component in components.values():
        component["properties"] = {name: _say_no_null(each) for name, each in component["properties"].items()}
    components["Schema"] = _write_schema("A JSON Schema 2020-12.", _KEYWORDS)
    words = "A JSON Schema 2020-12, plus `required` (true or false) and `secret`."
    components[Parameter.__name__] = _write_schema(words, _KEYWORDS | _OURS)
    components["TasksFile"]["properties"]["schemas"]["additionalProperties"] = _SCHEMA
    return {"$schema": DRAFT, "title": "tasks.yaml", **root, "$defs": components}


def _write_schema(description: str, keywords: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "type": ["object", "boolean"],
        "properties": keywords,
        "patternProperties": {"^x-": True},
        "additionalProperties": False,
    }


def _say_no_null(member: dict[str, Any]) -> dict[str, Any]:
    """Take from a member of a struct what None means there: the key was left out, which nobody writes as `null`."""
    rest = {key: value for key, value in member.items() if key not in {"anyOf", "default"}}
    written = [each for each in member.get("anyOf", ()) if each != {"type": "null"}]
    default = member.get("default")
    is_said = default is not None and not isinstance(default, dict)
    return {**rest, **({"default": default} if is_said else {}), **(written[0] if written else {})}
