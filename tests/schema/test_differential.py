"""The compiled validator and jsonschema-rs alone agree, both ways, on generated schemas and instances."""

import json
from contextlib import suppress
from typing import Any

import jsonschema_rs
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.config import Parameter, Schema
from gateway.errors import RefusedParamsError
from gateway.schema import compile_parameters
from gateway.schema.references import make_validator

NAMED: dict[str, Schema] = {
    "word": {"type": "string", "pattern": "^[a-c]+$"},
    "list": {
        "type": "object",
        "properties": {"head": {"type": "integer"}, "tail": {"$ref": "#/schemas/list"}},
        "required": ["head"],
        "additionalProperties": False,
    },
}
EDGES = st.sampled_from([0, -0.0, 1, 1.0, 2, 2.0, 2.5, 3, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 1e308, 1e-7])
WORDS = st.sampled_from(["", "a", "ab", "abc", "d", "abc\n", "😀", "é", "e\u0301", "2026-01-31", "10.0.0.1", "A b"])
BOUNDS = st.sampled_from([-1, 0, 1, 1.5, 2, 3.0, 2**53, 2**60])
NAMES = st.sampled_from(["a", "b", "class", "a-b", "head"])
INSTANCES = st.recursive(
    st.none() | st.booleans() | EDGES | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def some(**keywords: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a schema with any of these keywords."""
    return st.fixed_dictionaries({}, optional=keywords)


def typed(kind: str, **keywords: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a schema of a type, at times of that type or null."""
    kinds = st.just(kind) if kind == "null" else st.sampled_from([kind, [kind, "null"]])
    return st.builds(lambda kind, rest: {"type": kind, **rest}, kinds, some(**keywords))


NUMERIC = {
    "minimum": BOUNDS, "maximum": BOUNDS, "exclusiveMinimum": BOUNDS, "exclusiveMaximum": BOUNDS,
    "multipleOf": st.sampled_from([1, 2, 0.5, 3]),
}  # fmt: skip
LENGTHS = st.integers(0, 3)
LEAVES = st.one_of(
    typed("integer", **NUMERIC),
    typed("number", **NUMERIC),
    typed(
        "string",
        minLength=LENGTHS,
        maxLength=LENGTHS,
        pattern=st.sampled_from(["^[a-c]+$", "^[a-z]{1,2}$", "b", "^a", r"\d", "^[A-Z ]+$"]),
        format=st.sampled_from(["date", "ipv4", "email"]),
    ),
    typed("boolean"),
    typed("null"),
    some(enum=st.lists(EDGES | WORDS | st.none(), min_size=1, max_size=3, unique_by=repr)),
    some(const=INSTANCES),
    typed("string", enum=st.lists(WORDS | st.none(), min_size=1, max_size=3, unique=True)),
    typed("integer", enum=st.lists(EDGES | st.none(), min_size=1, max_size=3, unique_by=repr), const=EDGES),
    some(**NUMERIC, minLength=LENGTHS, maxItems=LENGTHS),
    st.sampled_from([True, False, {"$ref": "#/schemas/word"}, {"$ref": "#/schemas/list"}]),
)


def compose(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw a schema made of others."""
    members = st.dictionaries(NAMES, inner, max_size=3)
    return st.one_of(
        typed("array", items=inner, minItems=LENGTHS, maxItems=LENGTHS, uniqueItems=st.booleans()),
        typed("array", prefixItems=st.lists(inner, min_size=1, max_size=2), items=inner, contains=inner),
        typed(
            "object",
            properties=members,
            required=st.lists(NAMES, max_size=2, unique=True),
            additionalProperties=st.just(False) | inner,
        ),
        typed("object", patternProperties=st.fixed_dictionaries({"^a": inner}), propertyNames=some(maxLength=LENGTHS)),
        some(
            allOf=st.lists(inner, min_size=1, max_size=2),
            anyOf=st.lists(inner, min_size=1, max_size=2),
            oneOf=st.lists(inner, min_size=1, max_size=2),
        ),
        st.fixed_dictionaries({"if": inner, "then": inner}, optional={"else": inner}),
        some(**{"not": inner, "unevaluatedProperties": inner, "properties": members}),
    )


SCHEMAS = st.recursive(LEAVES, compose, max_leaves=5)


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(schema=SCHEMAS, instances=st.lists(INSTANCES, min_size=1, max_size=4))
def test_both_validators_agree(schema: Schema, instances: list[Any]) -> None:
    """And what is accepted comes out as it went in, types included: these schemas have no defaults."""
    params, issues = compile_parameters(
        {"value": Parameter(schema=schema, required=True)}, named=NAMED, type_name="drawn"
    )
    assume(not issues)
    assert params is not None
    alone = make_validator(schema, named=NAMED)
    shown = jsonschema_rs.Draft202012Validator(params.json_schema, validate_formats=True)

    for instance in instances:
        accepted: Any = None
        with suppress(RefusedParamsError):
            accepted = params.accept({"value": instance})
        assert alone.is_valid(instance) == (accepted is not None)
        assert shown.is_valid({"value": instance}) == (accepted is not None)
        assert accepted is None or repr({"value": instance}) == repr(accepted)
        for spaced in (None, (",", ":")):
            raw = json.dumps({"value": instance}, separators=spaced, ensure_ascii=spaced is None).encode()
            decoded: Any = None
            with suppress(RefusedParamsError):
                decoded = params.accept_body(raw)
            assert accepted == decoded
            assert accepted is None or json.dumps(accepted, sort_keys=True) == json.dumps(decoded, sort_keys=True)
