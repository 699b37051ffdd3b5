"""Every defect of a schema, found when the file is read."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any

import jsonschema_rs
from msgspec import Struct

from gateway.config.issues import MAX_ISSUES
from gateway.config.model import Schema
from gateway.config.words import cut, find_near, show_text, show_value
from gateway.schema.references import FILE_PREFIX, NAMED_URI, make_validator, name_of
from gateway.schema.vocabulary import FORMATS, KEYWORDS, OLD_KEYWORDS, Steps, walk_schemas

DRAFT_FOLDER = "https://json-schema.org/draft/2020-12/"
DRAFT = f"{DRAFT_FOLDER}schema"
MAX_PATTERN_CHARACTERS = 1000
_COMPILE_ERRORS = (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError)
_AWAY = re.compile("Resource '([^']*)' is not present")
_META = jsonschema_rs.Draft202012Validator({"$ref": DRAFT}, offline=True)


class SchemaIssue(Struct, frozen=True, kw_only=True):
    """One defect, at the steps that lead to it from the schema's own root."""

    path: Steps
    found: str
    wanted: str
    hint: str | None = None
    is_key: bool = False
    """True when the key is to blame rather than its value."""


def check_schema(schema: Schema, *, named: Mapping[str, Schema]) -> list[SchemaIssue]:
    """Find what is wrong with one schema, word by word; whether its references resolve is for `check_whole`."""
    issues = list(islice(_check_against_metaschema(schema), MAX_ISSUES + 1))
    blamed = {issue.path for issue in issues}
    has_ids = any(isinstance(each, dict) and "$id" in each for _, each in walk_schemas(schema))
    for steps, each in walk_schemas(schema):
        if len(issues) > MAX_ISSUES:
            break
        if isinstance(each, dict):
            found = _check_keywords(each, steps, named, has_ids=has_ids)
            issues += islice((issue for issue in found if issue.path not in blamed), MAX_ISSUES + 1)
    return issues


def check_whole(schema: Schema, *, named: Mapping[str, Schema]) -> list[SchemaIssue]:
    """Find what only shows when a schema is compiled: references that lead nowhere; then defaults that it refuses."""
    try:
        make_validator(schema, named=named)
    except _COMPILE_ERRORS as error:
        words = str(getattr(error, "message", error)).splitlines()[0].replace(NAMED_URI, FILE_PREFIX)
        away = _AWAY.match(words)
        found = f"a $ref to {away[1]}" if away else f"a schema that cannot be compiled: {words}"
        return [
            SchemaIssue(
                path=(), found=found, wanted="references that lead somewhere in this file: none is ever fetched"
            )
        ]
    return list(_check_defaults(schema, named))


def _check_defaults(schema: Schema, named: Mapping[str, Schema]) -> Iterator[SchemaIssue]:
    """Find the defaults that their own schema refuses, at any depth."""
    for steps, each in walk_schemas(schema):
        if not isinstance(each, dict) or "default" not in each:
            continue
        validator = make_validator(schema, named=named, at=steps)
        error = next(iter(validator.iter_errors(each["default"])), None)
        if error is not None:
            yield SchemaIssue(
                path=(*steps, "default"),
                found="a default that its own schema refuses",
                wanted=f"one that fits its `{error.kind.name}`",
            )


def _check_against_metaschema(schema: Schema) -> Iterator[SchemaIssue]:
    blamed: set[Steps] = set()
    for error in _META.iter_errors(schema):
        steps = tuple(error.instance_path)
        if steps in blamed:
            continue  # the metaschema has several ways to say the same of one value
        blamed.add(steps)
        wanted, hint = _explain_meta(error, steps)
        yield SchemaIssue(path=steps, found=show_value(_dig(schema, steps)), wanted=wanted, hint=hint)


def _explain_meta(error: jsonschema_rs.ValidationError, steps: Steps) -> tuple[str, str | None]:
    facts = error.kind.as_dict()
    if error.kind.name == "type":
        return " or ".join(_ARTICLES.get(each, each) for each in facts["types"]), None
    if steps and steps[-1] == "type":
        near = get_close_matches(str(error.instance), [*_TYPES, *_OTHER_NAMES], n=1)
        meant = _OTHER_NAMES.get(near[0], near[0]) if near else None
        return f"one of {', '.join(_TYPES)}", f"did you mean `{meant}`?" if meant else None
    return (f"what JSON Schema 2020-12 allows for `{steps[-1]}`" if steps else "a JSON Schema"), None


_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_OTHER_NAMES = {
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "str": "string",
    "list": "array",
    "dict": "object",
}
_ARTICLES = {"array": "a list", "integer": "an integer", "object": "a mapping", "boolean": "true or false"} | {
    name: f"a {name}" for name in ("number", "string")
}


def _check_keywords(
    schema: dict[str, Any], steps: Steps, named: Mapping[str, Schema], *, has_ids: bool
) -> Iterator[SchemaIssue]:
    for keyword, value in schema.items():
        path = (*steps, keyword)
        if keyword not in KEYWORDS and not keyword.startswith("x-"):
            near = find_near(keyword, KEYWORDS)
            hint = OLD_KEYWORDS.get(keyword) or (None if near is None else f"did you mean `{near}`?")
            wanted = "a keyword of JSON Schema 2020-12, or one that begins with `x-`"
            yield SchemaIssue(path=path, found="an unknown keyword", wanted=wanted, hint=hint, is_key=True)
        elif keyword == "$ref" and isinstance(value, str):
            yield from _check_reference(value, path, named, has_ids=has_ids)
        elif keyword == "$schema" and value not in {DRAFT, f"{DRAFT}#"}:
            yield SchemaIssue(path=path, found=show_value(value), wanted=f"{DRAFT}, or nothing")
        elif keyword == "format" and isinstance(value, str) and value not in FORMATS:
            near = find_near(value, FORMATS)
            hint = None if near is None else f"did you mean `{near}`?"
            found = f"the format {cut(value)!r}"
            yield SchemaIssue(path=path, found=found, wanted="one that is checked", hint=hint)
        elif keyword == "pattern" and isinstance(value, str):
            yield from _check_pattern(value, path)
        elif keyword == "patternProperties" and isinstance(value, dict):
            for pattern in value:
                yield from _check_pattern(pattern, (*path, pattern), is_key=True)


def _check_reference(
    reference: str, path: Steps, named: Mapping[str, Schema], *, has_ids: bool
) -> Iterator[SchemaIssue]:
    """Check a reference; what a schema with URIs of its own refers to shows only when it is compiled."""
    name = name_of(reference)
    if name is not None and name not in named:
        near = find_near(name, named)
        hint = None if near is None else f"did you mean `{FILE_PREFIX}{show_text(near)}`?"
        found = f"a $ref to {show_text(reference)}"
        yield SchemaIssue(path=path, found=found, wanted="a schema under `schemas`", hint=hint)
        return
    if not has_ids and reference.startswith(("http:", "https:")) and not reference.startswith(DRAFT_FOLDER):
        found = f"a $ref to another host, {show_text(reference, longest=80)}"
        yield SchemaIssue(path=path, found=found, wanted="a schema of this file: none is ever fetched")


def _check_pattern(pattern: str, path: Steps, *, is_key: bool = False) -> Iterator[SchemaIssue]:
    found: str | None = None
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        found = f"a pattern of more than {MAX_PATTERN_CHARACTERS} characters"
    else:
        try:
            jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())
        except (jsonschema_rs.ValidationError, ValueError):
            found = f"the pattern {cut(pattern, longest=80)!r}"
    if found is not None:
        wanted = "one of Rust's regex crate: linear time, no look-around, no back-reference"
        yield SchemaIssue(path=path, found=found, wanted=wanted, is_key=is_key)


def _dig(value: Any, steps: Steps) -> Any:
    for step in steps:
        value = value[step]
    return value
