"""Every defect of a schema, found when the file is read."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import jsonschema_rs

from gateway.config.issues import MAX_ISSUES
from gateway.config.model import Schema
from gateway.config.words import cut, find_near, show_text, show_value
from gateway.schema.issue import SchemaIssue
from gateway.schema.metaschema import DRAFT, DRAFT_FOLDER, check_against_metaschema
from gateway.schema.references import FILE_PREFIX, NAMED_URI, has_references, leads_on, make_validator, name_of
from gateway.schema.vocabulary import FORMATS, KEYWORDS, OLD_KEYWORDS, Steps, walk_schemas

MAX_PATTERN_CHARACTERS = 1000
_COMPILE_ERRORS = (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError)


def check_schema(schema: Schema, *, named: Mapping[str, Schema]) -> list[SchemaIssue]:
    """Find what is wrong with one schema, word by word; whether its references resolve is for `check_whole`."""
    issues = list(islice(check_against_metaschema(schema), MAX_ISSUES + 1))
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
        dangling = list(islice(_find_dangling(schema), MAX_ISSUES + 1))
        if dangling:
            return dangling
        words = show_text(str(getattr(error, "message", error)).replace(NAMED_URI, FILE_PREFIX), longest=200)
        wanted = "references that lead somewhere in this file: none is ever fetched"
        return [SchemaIssue(path=(), found=f"a schema that cannot be compiled: {words}", wanted=wanted)]
    return list(_check_defaults(schema, named))


def _find_dangling(schema: Schema) -> Iterator[SchemaIssue]:
    """Find the references that lead nowhere, where no `$id` gives them another base."""
    schemas = [(steps, each) for steps, each in walk_schemas(schema) if isinstance(each, dict)]
    if any("$id" in each for _, each in schemas):
        return
    anchors = {each.get(keyword) for _, each in schemas for keyword in ("$anchor", "$dynamicAnchor")}
    for steps, each in schemas:
        for keyword in each.keys() & {"$ref", "$dynamicRef"}:
            reference = each[keyword]
            if not reference.startswith((FILE_PREFIX, DRAFT_FOLDER)) and not leads_on(
                schema, reference, anchors=anchors
            ):
                found = f"a {keyword} to {show_text(reference)}"
                wanted = _SOMEWHERE if reference.startswith("#") else _HERE
                hint = _suggest_definition(reference, schema)
                yield SchemaIssue(path=(*steps, keyword), found=found, wanted=wanted, hint=hint)


_HERE = "a schema of this file: none is ever fetched"
_SOMEWHERE = "a place in the schema it stands in, as `#/$defs/NAME`, or `#/schemas/NAME` of the file"


def _suggest_definition(reference: str, schema: Schema) -> str | None:
    prefix, _, name = reference.rpartition("/")
    known = schema.get("$defs") if isinstance(schema, dict) else None
    near = find_near(name, known) if prefix == "#/$defs" and known else None
    return None if near is None else f"did you mean `#/$defs/{show_text(near)}`?"


def _check_defaults(schema: Schema, named: Mapping[str, Schema]) -> Iterator[SchemaIssue]:
    """Find the defaults that their own schema refuses, at any depth."""
    for steps, each in walk_schemas(schema):
        if not isinstance(each, dict) or "default" not in each:
            continue
        # With references in it the whole schema is taken, in which `#` keeps its meaning.
        is_whole = has_references(each)
        validator = make_validator(schema, named=named, at=steps) if is_whole else make_validator(each, named={})
        error = next(iter(validator.iter_errors(each["default"])), None)
        if error is not None:
            yield SchemaIssue(
                path=(*steps, "default"),
                found="a default that its own schema refuses",
                wanted=f"one that fits its `{error.kind.name}`",
            )


def _check_keywords(
    schema: dict[str, Any], steps: Steps, named: Mapping[str, Schema], *, has_ids: bool
) -> Iterator[SchemaIssue]:
    for keyword, value in schema.items():
        path = (*steps, keyword)
        if keyword not in KEYWORDS | {"secret"} and not keyword.startswith("x-"):
            near = find_near(keyword, KEYWORDS)
            hint = OLD_KEYWORDS.get(keyword) or (None if near is None else f"did you mean `{near}`?")
            wanted = "a keyword of JSON Schema 2020-12, or one that begins with `x-`"
            yield SchemaIssue(path=path, found="an unknown keyword", wanted=wanted, hint=hint, is_key=True)
        elif keyword == "secret":
            yield SchemaIssue(path=path, found="`secret` inside a schema", wanted=_AT_PARAMETER, is_key=True)
        elif keyword == "$ref" and isinstance(value, str):
            yield from _check_reference(value, path, named, has_ids=has_ids)
        elif keyword == "$schema" and value not in (DRAFT, f"{DRAFT}#"):
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


_AT_PARAMETER = "it beside the keywords of a parameter itself, whose value is secret as a whole"


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
        yield SchemaIssue(path=path, found=found, wanted=_HERE)


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
