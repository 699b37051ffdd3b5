"""The JSON Schema of tasks.yaml itself, for editors: written from the structs that the reader reads into."""

from typing import Any

import msgspec

from gateway.config.model import Parameter, TasksFile

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_VOCABULARIES = ("core", "applicator", "unevaluated", "meta-data", "format-annotation", "content")
_VALIDATION = (
    "type", "enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength",
    "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "minContains", "maxContains", "minProperties",
    "maxProperties", "dependentRequired",
)  # fmt: skip
_META = "https://json-schema.org/draft/2020-12/meta"
_PARAMETER = {
    "description": "A JSON Schema 2020-12, plus `required` (true or false) and `secret`.",
    "type": ["object", "boolean"],
    # The standard's own schema, vocabulary by vocabulary, as its `required` is a list and nothing else.
    "allOf": [{"$ref": f"{_META}/{name}"} for name in _VOCABULARIES],
    "properties": {name: {"$ref": f"{_META}/validation#/properties/{name}"} for name in _VALIDATION}
    | {
        "required": {
            "description": "Must a caller give it? When left out: unless it has a default. A list is JSON Schema's own.",
            "anyOf": [{"type": "boolean"}, {"$ref": f"{_META}/validation#/$defs/stringArray"}],
        },
        "secret": {"description": "The value reaches the worker and nothing else.", "type": "boolean"},
    },
}


def write_editor_schema() -> dict[str, Any]:
    """Write the schema: structure only, as what a schema or a rule means needs the whole file."""
    (root,), components = msgspec.json.schema_components([TasksFile], ref_template="#/$defs/{name}")
    for component in components.values():
        component["properties"] = {name: _say_no_null(each) for name, each in component["properties"].items()}
    components[Parameter.__name__] = _PARAMETER
    components["TasksFile"]["properties"]["schemas"]["additionalProperties"] = {"$ref": DRAFT}
    return {"$schema": DRAFT, "title": "tasks.yaml", **root, "$defs": components}


def _say_no_null(member: dict[str, Any]) -> dict[str, Any]:
    """Take from a member of a struct what None means there: the key was left out, which nobody writes as `null`."""
    rest = {key: value for key, value in member.items() if key not in {"anyOf", "default"}}
    written = [each for each in member.get("anyOf", ()) if each != {"type": "null"}]
    return rest if len(written) == 0 else {**rest, **written[0]} if len(written) == 1 else {**rest, "anyOf": written}
