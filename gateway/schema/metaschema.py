"""The standard's own schema of schemas, in the words of somebody who has to mend one.

What comes in: a schema. What goes out: the defects that its keywords have by themselves, each at the value to blame.
"""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from gateway.config.model import Schema
from gateway.config.words import find_near, show_value
from gateway.schema.issue import SchemaIssue
from gateway.schema.locating import locate
from gateway.schema.vocabulary import Steps

DRAFT_FOLDER = "https://json-schema.org/draft/2020-12/"
DRAFT = f"{DRAFT_FOLDER}schema"
_META = jsonschema_rs.Draft202012Validator({"$ref": DRAFT}, offline=True)
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_OTHER_NAMES = {
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "str": "string",
    "list": "array",
    "dict": "object",
    "none": "null",
}
_ARTICLES = {"array": "a list", "integer": "an integer", "object": "a mapping", "boolean": "true or false"} | {
    name: f"a {name}" for name in ("number", "string")
}
_LIMITS = {
    "minimum": "an integer of at least {limit}",
    "exclusiveMinimum": "a number above {limit}",
    "minItems": "one that is not empty",
}
_ANCHOR = "a name of ASCII letters, digits, `_`, `-` and `.` that begins with a letter or `_`"
_SPELLINGS = {"$anchor": _ANCHOR, "$dynamicAnchor": _ANCHOR, "$id": "a URI without a fragment"}


def check_against_metaschema(schema: Schema) -> Iterator[SchemaIssue]:
    """Find what the metaschema refuses; it has several ways to say the same of one value."""
    blamed: set[Steps] = set()
    for error in _META.iter_errors(schema):
        steps = locate(schema, error.instance_path)
        if steps not in blamed:
            blamed.add(steps)
            yield from _explain(error, steps, error.instance)


def _explain(error: jsonschema_rs.ValidationError, steps: Steps, value: Any) -> Iterator[SchemaIssue]:
    kind, facts = error.kind.name, error.kind.as_dict()
    keyword = steps[-1] if steps else None
    if kind == "type":
        is_flag = keyword == "required" and isinstance(value, bool)
        yield _blame(steps, value, *(_REQUIRED if is_flag else (_name_types(facts["types"]), None)))
    elif kind in _LIMITS:
        yield _blame(steps, value, _LIMITS[kind].format_map(facts))
    elif kind == "uniqueItems":
        yield from _find_repeated(value, steps)
    elif keyword == "type":
        yield from _find_untyped(value, steps)
    else:
        yield _blame(steps, value, _SPELLINGS.get(str(keyword), "what JSON Schema 2020-12 allows there"))


_REQUIRED = (
    "a list of the properties that must be there",
    "true and false are for a parameter itself, not for what is inside it",
)


def _blame(steps: Steps, value: Any, wanted: str, hint: str | None = None) -> SchemaIssue:
    return SchemaIssue(path=steps, found=show_value(value), wanted=wanted, hint=hint)


def _name_types(names: list[str]) -> str:
    return " or ".join(_ARTICLES[name] for name in names)


def _find_repeated(names: list[Any], steps: Steps) -> Iterator[SchemaIssue]:
    """Find the names that a list has again; what is no name is blamed by itself."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if isinstance(name, str) and name in seen:
            yield _blame((*steps, index), name, "each name once")
        seen |= {name} if isinstance(name, str) else set()


def _find_untyped(value: Any, steps: Steps) -> Iterator[SchemaIssue]:
    """Find what is no type, in `type` itself or in its list."""
    if not isinstance(value, list):
        yield _refuse_type(value, steps)
    elif not value:
        yield _blame(steps, value, _LIMITS["minItems"])
    else:
        yield from (_refuse_type(each, (*steps, index)) for index, each in enumerate(value) if each not in _TYPES)
        yield from _find_repeated([each if each in _TYPES else None for each in value], steps)


def _refuse_type(value: Any, steps: Steps) -> SchemaIssue:
    meant = find_near(value.lower(), [*_TYPES, *_OTHER_NAMES]) if isinstance(value, str) else None
    hint = None if meant is None else f"did you mean `{_OTHER_NAMES.get(meant, meant)}`?"
    hint = 'put it in quotes, "null"' if value is None else hint
    return _blame(steps, value, f"one of {', '.join(_TYPES)}", hint)
