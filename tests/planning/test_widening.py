"""Is a schema wider than another: a table of verdicts, and the promise that holds for all of them."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gateway.config import Parameter, Schema, TaskSpec
from gateway.config.config import Config
from gateway.errors import RefusedParamsError
from gateway.planning import compare
from gateway.planning.sides import Side
from gateway.planning.widening import compare_schemas
from gateway.schema import ParameterSet, compile_parameters

NODE = {"type": "object", "properties": {"next": {"$ref": "#"}, "size": {"type": "integer", "maximum": 5}}}
WIDER_NODE = {"type": "object", "properties": {"next": {"$ref": "#"}, "size": {"type": "integer", "maximum": 9}}}


def find(old: Schema, new: Schema, named: Mapping[str, Schema] = {}) -> list[str]:
    """Compare two schemas; each finding as one line."""
    found = compare_schemas(Side(old, old, named), Side(new, new, named))
    return [f"{each.verdict} {'.'.join(map(str, each.steps))}: {each.detail}" for each in found]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param({"type": "integer"}, {"type": "number"}, id="an integer is a number"),
        pytest.param({"type": "string"}, {"type": ["string", "null"]}, id="one type more"),
        pytest.param({"type": "integer", "exclusiveMinimum": 0}, {"type": "integer", "minimum": 1}, id="beyond 0 is 1"),
        pytest.param({"type": "number", "minimum": 1}, {"type": "number", "exclusiveMinimum": 0}, id="open and lower"),
        pytest.param({"enum": [1, 2]}, {"enum": [1, 2, "x"]}, id="one value more"),
        pytest.param({"const": "a"}, {"type": "string"}, id="from a value to its type"),
        pytest.param({"type": "integer", "enum": [1]}, {"minimum": 1}, id="values that lie in a range"),
        pytest.param({"multipleOf": 6}, {"multipleOf": 3}, id="a divisor"),
        pytest.param({"multipleOf": 6}, {}, id="any number"),
        pytest.param({"type": "integer"}, {"type": ["integer", "string"], "maxLength": 3}, id="a bound of new values"),
        pytest.param({"type": "string", "pattern": "^a$"}, {"type": "string"}, id="no pattern"),
        pytest.param({"type": "array", "uniqueItems": True}, {"type": "array"}, id="items alike"),
        pytest.param({"items": {"maximum": 1}}, {"items": {"maximum": 2}}, id="items"),
        pytest.param({"prefixItems": [{}], "items": False}, {"prefixItems": [{}, {}]}, id="a longer prefix"),
        pytest.param({"required": ["a", "b"]}, {"required": ["a"]}, id="required by object"),
        pytest.param(
            {"properties": {"a": True}, "additionalProperties": False},
            {"properties": {"a": True, "b": {"type": "null"}}, "additionalProperties": False},
            id="a property of a closed object",
        ),
        pytest.param({"additionalProperties": False}, {"additionalProperties": {"type": "null"}}, id="opened"),
        pytest.param({"type": "integer"}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}, id="to alternatives"),
        pytest.param({"oneOf": [{"const": 1}, {"type": "null"}]}, {"type": ["integer", "null"]}, id="from alternatives"),
        pytest.param(
            {"anyOf": [{"maximum": 1}, {"type": "null"}]}, {"anyOf": [{"maximum": 2}, {"type": "null"}]}, id="each wider"
        ),
        pytest.param({"allOf": [{"minimum": 1}, {"maximum": 2}]}, {"allOf": [{"minimum": 1}]}, id="one condition less"),
        pytest.param({"if": {"minimum": 3}, "then": False}, {}, id="no if"),
        pytest.param({"contains": {"const": 1}, "minContains": 2}, {}, id="no contains"),
        pytest.param({"dependentRequired": {"a": ["b", "c"]}}, {"dependentRequired": {"a": ["b"]}}, id="one need less"),
        pytest.param(NODE, WIDER_NODE, id="recursion"),
        pytest.param({"$ref": "#/$defs/a", "$defs": {"a": {"minLength": 2}}}, {"minLength": 1}, id="a local reference"),
    ],
)  # fmt: skip
def test_what_takes_nothing_away_is_safe(old: Schema, new: Schema) -> None:
    """And the way back is not."""
    there, back = find(old, new), find(new, old)

    assert ["safe"] * len(there) == [line.partition(" ")[0] for line in there]
    is_equal = old == {"type": "integer", "exclusiveMinimum": 0}
    assert is_equal is not any(line.startswith("breaking") for line in back)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({}, False, "breaking : no value is accepted any more", id="nothing"),
        pytest.param({}, {"const": 1}, "breaking const: only listed values are accepted now", id="const"),
        pytest.param({"enum": ["a", "b"]}, {"enum": ["a"]}, 'breaking enum: no longer accepted: "b"', id="enum"),
        pytest.param({"minimum": 1}, {"exclusiveMinimum": 1}, "breaking exclusiveMinimum: from 1 to above 1", id="open"),
        pytest.param({"maximum": 5}, {"maximum": 4.5}, "breaking maximum: from 5 to 4.5", id="range"),
        pytest.param({}, {"minLength": 1}, "breaking minLength: from none to 1", id="length"),
        pytest.param({}, {"format": "date"}, "breaking format: `date` is asked for", id="a format"),
        pytest.param(
            {"pattern": "a"}, {"pattern": "b"},
            "breaking pattern: from `a` to `b`, which cannot be shown to be wider", id="another pattern",
        ),
        pytest.param({"multipleOf": 2}, {"multipleOf": 4}, "breaking multipleOf: from 2 to 4", id="multiple"),
        pytest.param(
            {"multipleOf": 2}, {"multipleOf": 0.5},
            "breaking multipleOf: from 2 to 0.5, which cannot be shown to be wider", id="a broken multiple",
        ),
        pytest.param({}, {"required": ["a"]}, "breaking required: `a` became required", id="required"),
        pytest.param({}, {"properties": {"a": {"type": "null"}}},
                     "breaking properties.a.type: from any type to null", id="a property of an open object"),
        pytest.param(
            {"properties": {"a": True}, "additionalProperties": False}, {"additionalProperties": False},
            "breaking properties.a: the property is refused now", id="property removed",
        ),
        pytest.param(
            {}, {"additionalProperties": False},
            "breaking additionalProperties: properties that are not declared are refused now", id="closed",
        ),
        pytest.param({}, {"uniqueItems": True}, "breaking uniqueItems: items must differ from each other", id="unique"),
        pytest.param(
            {}, {"dependentRequired": {"a": ["b"]}}, "breaking dependentRequired.a: `a` now asks for `b`", id="dependent"
        ),
        pytest.param({"not": {"const": 1}}, {"not": {"const": 2}},
                     "breaking not: it changed, which cannot be shown to be wider", id="not"),
        pytest.param({"if": {}, "then": {}}, {"if": {}},
                     "breaking then: it is gone, which cannot be shown to be wider", id="then"),
        pytest.param(
            {"patternProperties": {"a": True}}, {"patternProperties": {"b": True}},
            "breaking patternProperties: the properties changed, which cannot be shown to be wider", id="patterns",
        ),
        pytest.param(
            {"type": "object"}, {"type": "object", "unevaluatedProperties": False},
            "breaking unevaluatedProperties: a schema with `unevaluatedProperties` changed, which cannot be shown to be wider",
            id="unevaluated",
        ),
        pytest.param({}, {"allOf": [{"minimum": 1}]},
                     "breaking allOf.0: a condition that cannot be shown to be wider", id="allOf"),
        pytest.param({"minimum": 0}, {"minimum": 0, "anyOf": [{"maximum": 1}]},
                     "breaking anyOf: the alternatives changed, which cannot be shown to be wider", id="anyOf"),
        pytest.param(
            {"oneOf": [{"const": 1}, {"type": "null"}]}, {"const": 1},
            "breaking oneOf.1: values of the 2. alternative: that they are all still accepted cannot be shown",
            id="an alternative less",
        ),
        pytest.param(
            {"minimum": 0}, {"minimum": 0, "$ref": "#/schemas/short"},
            "breaking $ref: a reference beside other keywords changed, which cannot be shown to be wider", id="reference",
        ),
    ],
)  # fmt: skip
def test_what_takes_something_away_breaks(old: Schema, new: Schema, expected: str) -> None:
    """It is named where it stands, in full."""
    found = find(old, new, {"short": {"maxLength": 3}})

    assert [expected] == [line for line in found if line.startswith("breaking")]


LOCAL = {"enum": [1, {"a": 2}], "anyOf": [{"$ref": "#/$defs/x"}], "$defs": {"x": True}}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(LOCAL, {**LOCAL, "enum": [1]}, ["breaking enum: the values changed, which cannot be shown to be wider"],
                     id="fewer values"),
        pytest.param(LOCAL, {**LOCAL, "enum": [1, {"a": 2.0}], "title": "A"}, [], id="the same values"),
        pytest.param(LOCAL, {**LOCAL, "maxLength": 5}, ["breaking maxLength: from none to 5"], id="a length beside values"),
        pytest.param(LOCAL, {key: value for key, value in LOCAL.items() if key != "enum"},
                     ["safe enum: other values are accepted too"], id="any value"),
        pytest.param({"const": 1}, LOCAL, ["breaking enum: only listed values are accepted now", "safe const: other values are accepted too"],
                     id="a value to values"),
        pytest.param(
            {"items": {"$ref": "#/$defs/x"}, "$defs": {"x": {"maximum": 1}}},
            {"items": {"$ref": "#/$defs/x"}, "$defs": {"x": {"maximum": 0}}},
            ["breaking items.maximum: from 1 to 0"], id="a definition that changed",
        ),
        pytest.param(
            {"items": {"$ref": "#/allOf/0"}, "allOf": [{"maximum": 1}]},
            {"items": {"$ref": "#/allOf/0"}, "allOf": [{"maximum": 2}]},
            ["safe items.maximum: from 1 to 2"], id="a reference into a list",
        ),
        pytest.param(
            {"items": {"$ref": "#a"}, "$defs": {"x": {"$anchor": "a", "maximum": 1}}},
            {"items": {"$ref": "#a"}, "$defs": {"x": {"$anchor": "a", "maximum": 2}}},
            ["breaking items.$ref: a reference beside other keywords changed, which cannot be shown to be wider"],
            id="an anchor",
        ),
        pytest.param({"items": {"$ref": "#/$defs/gone"}}, {"items": {"$ref": "#/$defs/lost"}},
                     ["breaking items.$ref: a reference beside other keywords changed, which cannot be shown to be wider"],
                     id="references that lead nowhere"),
        pytest.param(
            {"not": {"$ref": "#/$defs/x"}, "$defs": {"x": {"maximum": 1}}},
            {"not": {"$ref": "#/$defs/x"}, "$defs": {"x": {"maximum": 0}}},
            ["breaking not: it changed, which cannot be shown to be wider"], id="within not",
        ),
    ],
)  # fmt: skip
def test_what_refers_to_its_own_root_is_judged_by_what_is_there(old: Schema, new: Schema, expected: list[str]) -> None:
    """Or not at all, where an anchor decides."""
    assert expected == find(old, new)


def test_a_reference_to_a_schema_that_changed_has_changed() -> None:
    """Although it is written as before."""
    reference = {"$ref": "#/schemas/id"}
    old, new = (Side(reference, reference, {"id": {"maxLength": length}}) for length in (9, 5))

    found = compare_schemas(old, new)

    assert [(("maxLength",), "breaking", "from 9 to 5")] == [(each.steps, each.verdict, each.detail) for each in found]


BOUNDS = st.integers(-3, 5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-4, 6) | st.sampled_from([0.5, 1.0, 2.5, -1.5]) | st.text("ab", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=5,
)
LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["integer", "number", "string", "array", "object", "null", ["integer", "null"]]),
        "minimum": BOUNDS, "exclusiveMinimum": BOUNDS, "maximum": BOUNDS, "exclusiveMaximum": BOUNDS,
        "multipleOf": st.sampled_from([1, 2, 4, 0.5]),
        "minLength": st.integers(0, 3), "maxLength": st.integers(0, 4), "pattern": st.sampled_from(["^a", "b$"]),
        "minItems": st.integers(0, 2), "maxItems": st.integers(0, 3), "uniqueItems": st.booleans(),
        "required": st.lists(st.sampled_from("xyz"), unique=True, max_size=2),
        "minProperties": st.integers(0, 2),
    },
)  # fmt: skip


def _nest(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    many = st.lists(inner, min_size=1, max_size=3)
    optional: Any = {
        "type": st.sampled_from(["array", "object", ["array", "object", "integer"]]),
        "properties": st.dictionaries(st.sampled_from("xyz"), inner, max_size=2),
        "patternProperties": st.dictionaries(st.sampled_from(["^x", "[yz]"]), inner, max_size=1),
        "additionalProperties": inner,
        "propertyNames": st.sampled_from([{"pattern": "x"}, {"enum": ["x", "y"]}]),
        "dependentRequired": st.dictionaries(st.sampled_from("xyz"), st.lists(st.sampled_from("xyz"), unique=True)),
        "items": inner, "prefixItems": many, "contains": inner, "minContains": st.integers(0, 2),
        "anyOf": many, "oneOf": many, "allOf": many, "not": inner, "if": inner, "then": inner, "else": inner,
        "unevaluatedProperties": inner,
        "$ref": st.sampled_from(["#/schemas/a", "#/schemas/b"]),
    }  # fmt: skip
    few = st.lists(st.sampled_from(sorted(optional)), min_size=1, max_size=3, unique=True)
    return few.flatmap(lambda names: st.fixed_dictionaries({name: optional[name] for name in names}))


SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    LEAVES | st.booleans() | st.fixed_dictionaries({"enum": st.lists(VALUES, min_size=1, max_size=3)}),
    _nest,
    max_leaves=4,
)


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two schemas that are alike: the second lacks or has keywords of its own."""
    old = draw(SCHEMAS)
    if not isinstance(old, dict) or draw(st.integers(0, 5)) == 0:
        return old, draw(SCHEMAS)
    kept = {keyword: value for keyword, value in old.items() if draw(st.integers(0, 3))}
    other = draw(SCHEMAS)
    return old, {**kept, **(other if isinstance(other, dict) else {})}


def _config(schema: Any, named: dict[str, Any], default: tuple[Any, ...], *, required: bool | None) -> Config:
    whole = {**schema, "default": default[0]} if default and isinstance(schema, dict) else schema
    spec = TaskSpec(parameters={"p": Parameter(schema=whole, required=required)})
    return Config(tasks={"t": spec}, schemas=named, documents={})


def _compile(config: Config) -> ParameterSet | None:
    compiled, _ = compile_parameters(config.tasks["t"].parameters, named=config.schemas, type_name="T")
    return compiled


def _accepts(params: ParameterSet, value: dict[str, Any]) -> bool:
    try:
        params.accept(value)
    except RefusedParamsError:
        return False
    return True


@settings(max_examples=400, deadline=None)
@given(
    pair=_pairs(), named=st.tuples(LEAVES, LEAVES, LEAVES, LEAVES), required=st.tuples(st.none() | st.booleans(), st.none() | st.booleans()),
    defaults=st.tuples(st.just(()) | st.tuples(VALUES), st.just(()) | st.tuples(VALUES)), values=st.lists(VALUES, max_size=30),
)  # fmt: skip
@example(
    pair=({"$ref": "#/schemas/a"}, {"$ref": "#/schemas/a"}), named=({}, {}, {"type": "null"}, {}),
    required=(None, None), defaults=((), ()), values=[1],
)  # fmt: skip
def test_where_nothing_breaks_for_callers_every_value_of_before_is_still_accepted(
    pair: tuple[Any, Any],
    named: tuple[Any, Any, Any, Any],
    required: tuple[bool | None, bool | None],
    defaults: tuple[tuple[Any, ...], tuple[Any, ...]],
    values: list[Any],
) -> None:
    """Whatever the schemas, their references, their defaults and what is required."""
    old = _config(pair[0], {"a": named[0], "b": named[1]}, defaults[0], required=required[0])
    new = _config(pair[1], {"a": named[2], "b": named[3]}, defaults[1], required=required[1])
    before, after = _compile(old), _compile(new)
    assume(before is not None)
    assume(after is not None)
    assert before is not None
    assert after is not None
    plan = compare(old, new)
    assume(not any(each.audience == "callers" and each.verdict == "breaking" for each in plan))
    listed = pair[0].get("enum", []) if isinstance(pair[0], dict) else []

    sent = [{}, *({"p": value} for value in [*values, *listed])]

    assert [] == [params for params in sent if _accepts(before, params) and not _accepts(after, params)]
