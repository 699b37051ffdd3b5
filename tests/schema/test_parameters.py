"""Compiled parameters: what is accepted, what is filled in, what is refused, and in which words."""

import json
import time
from typing import Any

import jsonschema_rs
import pytest

from gateway.config import Parameter, Schema
from gateway.errors import MalformedBodyError, RefusedParamsError
from gateway.schema import ParameterSet, check_named, compile_parameters

NAMED: dict[str, Schema] = {
    "company": {"type": "string", "minLength": 1, "maxLength": 8, "pattern": "^[A-Za-z0-9._-]+$"},
    "tree": {
        "type": "object",
        "properties": {
            "size": {"type": "integer", "default": 1},
            "children": {"type": "array", "items": {"$ref": "#/schemas/tree"}},
        },
        "additionalProperties": False,
    },
    "counted": {"type": "integer", "default": 7},
}


def compiled(named: dict[str, Schema] | None = None, **schemas: Any) -> ParameterSet:
    """Compile parameters; `Parameter` values are taken as they are."""
    parameters = {
        name: schema if isinstance(schema, Parameter) else Parameter(schema=schema) for name, schema in schemas.items()
    }
    params, issues = compile_parameters(parameters, named=NAMED if named is None else named, type_name="t")
    assert params is not None, issues
    return params


def refusal(params: ParameterSet, value: Any) -> list[tuple[str, str, str]]:
    """Return (pointer, code, detail) of every fault."""
    with pytest.raises(RefusedParamsError) as caught:
        params.accept(value)
    return [(fault.pointer, fault.code, fault.detail) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("schema", "accepted", "refused"),
    [
        pytest.param({"type": "integer"}, [0, -5, 1.0, 2**63 - 1], ["3", True, 1.5, None, [1]], id="integer"),
        pytest.param({"type": "integer", "minimum": 1, "maximum": 24}, [1, 24, 3.0], [0, 25, 0.0], id="range"),
        pytest.param({"type": "integer", "exclusiveMinimum": 1.5}, [2], [1], id="bound between integers"),
        pytest.param({"type": "integer", "multipleOf": 3}, [0, -3, 6.0], [1, 4.0], id="multiple"),
        pytest.param({"type": "number", "minimum": 0.5}, [1, 0.5, 7.25], [0, 0.25, "1", False], id="number"),
        pytest.param({"type": "number", "multipleOf": 0.1}, [0.3, 1], [0.35], id="decimal multiple"),
        pytest.param({"type": "string", "minLength": 2}, ["ab", "😀😀"], ["a", "😀", 3], id="length in characters"),
        pytest.param({"type": "string", "pattern": "^[a-c]+$"}, ["abc"], ["", "abd", "abc\n", "ABC"], id="pattern"),
        pytest.param({"type": "string", "pattern": "b"}, ["abc"], ["ac"], id="pattern is searched"),
        pytest.param({"type": "string", "format": "date"}, ["2026-01-31"], ["2026-02-31", "x"], id="format"),
        pytest.param({"type": ["string", "null"]}, ["a", None], [1], id="nullable"),
        *(
            pytest.param(
                {"type": "object", "properties": {name: {"type": "integer"}}, "additionalProperties": False},
                [{}, {name: 1}], [{name: "x"}, {"f0": 1}], id=f"a property named {name!a}",
            )
            for name in ('a"b', "a\\b", "a\nb", "a\x1f", "", "é", "f0.1")
        ),
        pytest.param({"enum": ["a", 1, None]}, ["a", 1, 1.0, None], ["b", True, 0], id="mixed enum"),
        pytest.param({"type": "string", "enum": ["a", "b"]}, ["a"], ["c", 1], id="enum of strings"),
        pytest.param({"const": {"a": 1}}, [{"a": 1}, {"a": 1.0}], [{}, {"a": 2}], id="const object"),
        pytest.param({"type": "boolean"}, [True, False], [0, 1, "true"], id="boolean"),
        pytest.param({"type": "null"}, [None], [0, ""], id="null"),
        pytest.param({"type": "array", "items": {"type": "integer"}, "minItems": 1}, [[1], [1.0]], [[], ["1"]], id="array"),
        pytest.param({"type": "array", "uniqueItems": True}, [[1, 2]], [[1, 1], [1, 1.0]], id="unique"),
        pytest.param({"type": "object"}, [{}, {"a": 1}], [[], "{}"], id="open object"),
        pytest.param({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
                     [{"a": 1}, {"a": 1, "b": 2}], [{}, {"a": "1"}], id="open object with properties"),
        pytest.param({"type": "object", "properties": {"class": {}, "a-b": {"type": "null"}}, "required": ["class"],
                      "additionalProperties": False}, [{"class": 1, "a-b": None}], [{}, {"class": 1, "x": 1}],
                     id="closed object with odd names"),
        pytest.param({"$ref": "#/schemas/company"}, ["a.b-C_9"], ["", "a b", "123456789"], id="named schema"),
        pytest.param({"$ref": "#/schemas/tree"}, [{"children": [{"children": []}]}], [{"children": [{"x": 1}]}],
                     id="recursive schema"),
        pytest.param({"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}}, [1], ["1"], id="local definition"),
        pytest.param({"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 1}]}, [1, "a"], ["ab", None],
                     id="alternatives"),
        pytest.param(True, [1, "a", None, []], [], id="true"),
        pytest.param(False, [], [1, None], id="false"),
        pytest.param({"minimum": 3}, [3, "a", None], [2], id="assertion without type"),
    ],
)  # fmt: skip
def test_a_schema_means_what_the_standard_says(schema: Schema, accepted: list[Any], refused: list[Any]) -> None:
    """On the fast path and on the slow one; what is accepted comes out with the type it went in."""
    params = compiled(value=Parameter(schema=schema, required=True))

    for value in accepted:
        assert repr({"value": value}) == repr({"value": params.accept({"value": value})["value"]}) or "tree" in str(
            schema
        )
    for value in refused:
        assert refusal(params, {"value": value})


def test_required_is_what_has_no_default_and_does_not_say_otherwise() -> None:
    """A default of the named schema counts."""
    params = compiled(
        plain={"type": "integer"},
        defaulted={"type": "integer", "default": 3},
        inherited={"$ref": "#/schemas/counted"},
        optional=Parameter(schema={"type": "integer"}, required=False),
        insisted=Parameter(schema={"type": "integer", "default": 3}, required=True),
    )

    assert ["plain", "insisted"] == params.json_schema["required"]
    assert {"plain": 1, "insisted": 2, "defaulted": 3, "inherited": 7} == params.accept({"plain": 1, "insisted": 2})


@pytest.mark.parametrize(
    ("schema", "given", "filled"),
    [
        pytest.param({"type": "object", "properties": {"a": {"default": 1}}}, {}, {"a": 1}, id="open object"),
        pytest.param(
            {"type": "object", "properties": {"a": {"default": 1}}, "additionalProperties": False}, {}, {"a": 1}, id="closed"
        ),
        pytest.param({"properties": {"a": {"properties": {"b": {"default": 1}}}}}, {"a": {}}, {"a": {"b": 1}}, id="deep"),
        pytest.param({"properties": {"a": {"properties": {"b": {"default": 1}}}}}, {}, {}, id="absent parent"),
        pytest.param({"properties": {"a": {"default": {}, "properties": {"b": {"default": 1}}}}}, {}, {"a": {"b": 1}},
                     id="default of a default"),
        pytest.param({"items": {"properties": {"a": {"default": 1}}}}, [{}, {"a": 2}, 3], [{"a": 1}, {"a": 2}, 3],
                     id="items"),
        pytest.param({"prefixItems": [True, {"properties": {"a": {"default": 1}}}]}, [{}, {}, {}], [{}, {"a": 1}, {}],
                     id="prefix items"),
        pytest.param({"allOf": [{"properties": {"a": {"default": 1}}}, {"properties": {"b": {"default": 2}}}]}, {},
                     {"a": 1, "b": 2}, id="allOf"),
        pytest.param({"anyOf": [{"properties": {"a": {"default": 1}}}]}, {}, {}, id="no alternative"),
        pytest.param({"$ref": "#/schemas/tree"}, {"children": [{"children": [{}]}]},
                     {"size": 1, "children": [{"size": 1, "children": [{"size": 1}]}]}, id="recursive named schema"),
        pytest.param({"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"b": {"default": 1}}}}}, {}, {"b": 1},
                     id="local definition"),
        pytest.param({"properties": {"a": {"default": None}}}, {"a": 0}, {"a": 0}, id="never over what was sent"),
    ],
)  # fmt: skip
def test_defaults_are_filled_at_any_depth(schema: Schema, given: Any, filled: Any) -> None:
    """Wherever `properties` give one; the params that were sent are left alone."""
    params = compiled(value=schema)
    sent = {"value": given}
    before = json.dumps(sent)

    accepted = params.accept(sent)

    assert {"value": filled} == accepted
    assert before == json.dumps(sent)


def test_a_default_is_not_shared_between_launches() -> None:
    """A list that one launch changes is not that of the next."""
    params = compiled(value={"type": "array", "default": []})

    params.accept({})["value"].append(1)

    assert {"value": []} == params.accept({})


def test_a_secret_shows_neither_value_nor_default() -> None:
    """It is write-only; its default reaches the worker alone."""
    params = compiled(token=Parameter(schema={"type": "string", "default": "hunter2"}, secret=True))

    assert frozenset({"token"}) == params.secret_names
    assert {"type": "string", "writeOnly": True} == params.json_schema["properties"]["token"]
    assert {"token": "hunter2"} == params.accept({})


def test_the_shown_schema_is_self_contained() -> None:
    """Named schemas that are used stand under $defs, through each other."""
    named: dict[str, Schema] = {"a": {"$ref": "#/schemas/b"}, "b": {"type": "integer"}, "c": {}}

    shown = compiled(named, value={"$ref": "#/schemas/a", "default": 1}).json_schema

    assert {"a": {"$ref": "#/$defs/b"}, "b": {"type": "integer"}} == shown["$defs"]
    assert {"$ref": "#/$defs/a", "default": 1} == shown["properties"]["value"]


def test_six_faults_are_six_entries() -> None:
    """Pointer, code, plain words, and what was expected; unknown names get their near miss."""
    params = compiled(
        company_id={"$ref": "#/schemas/company"},
        months={"type": "integer", "minimum": 1},
        kind={"enum": ["a", "b"]},
        when={"type": "string", "format": "date"},
        nested={"type": "object", "properties": {"count": {"type": "integer"}}, "additionalProperties": False},
    )
    body = {"compnay_id": "x", "months": 0, "kind": "c", "when": "soon", "nested": {"cuont": 1, "a/b~c": 2}}

    assert [
        ("/compnay_id", "additionalProperties", "no such parameter; did you mean company_id?"),
        ("/months", "minimum", "wanted at least 1"),
        ("/kind", "enum", "wanted one of a, b"),
        ("/when", "format", "wanted a valid date"),
        ("/nested/cuont", "additionalProperties", "no such member; did you mean count?"),
        ("/nested/a~1b~0c", "additionalProperties", "no such member"),
        ("/company_id", "required", "company_id is missing"),
    ] == refusal(params, body)


@pytest.mark.parametrize(
    ("schema", "value", "fault"),
    [
        pytest.param({"type": "integer"}, "x", ("type", "wanted an integer, got a string"), id="type"),
        pytest.param({"type": ["integer", "null"]}, [], ("type", "wanted an integer or null, got an array"), id="types"),
        pytest.param({"type": "string"}, 1.5, ("type", "wanted a string, got a number"), id="number"),
        pytest.param({"maximum": 3}, 4, ("maximum", "wanted at most 3"), id="maximum"),
        pytest.param({"exclusiveMaximum": 3}, 3, ("exclusiveMaximum", "wanted less than 3"), id="exclusive"),
        pytest.param({"maxLength": 1}, "ab", ("maxLength", "wanted at most 1 characters"), id="length"),
        pytest.param({"pattern": "^a"}, "b", ("pattern", "wanted a string that matches ^a"), id="pattern"),
        pytest.param({"minItems": 1}, [], ("minItems", "wanted at least 1 items"), id="items"),
        pytest.param({"uniqueItems": True}, [1, 1], ("uniqueItems", "wanted no item twice"), id="unique"),
        pytest.param({"not": {}}, 1, ("not", "is just what is not allowed"), id="not"),
        pytest.param(False, 1, ("falseSchema", "may not be given"), id="false"),
        pytest.param({"oneOf": [{}, {}]}, 1, ("oneOf", "fits more than one of the alternatives"), id="oneOf, twice"),
        pytest.param({"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 1}]}, "ab",
                     ("anyOf", "fits none of the alternatives: wanted an integer, got a string; or wanted at most 1 "
                      "characters"), id="anyOf"),
        pytest.param({"contains": {"const": 1}}, [2],
                     ("contains", "wanted an item that is not there, or fewer of those that are"), id="contains"),
    ],
)  # fmt: skip
def test_each_keyword_refuses_in_plain_words(schema: Schema, value: Any, fault: tuple[str, str]) -> None:
    """One fault, at the parameter."""
    assert [("/value", *fault)] == refusal(compiled(value=Parameter(schema=schema, required=True)), {"value": value})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer"}, {"enum": ["a"]}, {"const": "a"}, {"pattern": "^x$"}, {"format": "date"}, {"maxLength": 3},
        {"not": {"type": "string"}}, {"anyOf": [{"type": "integer"}, {"const": 3}]}, {"allOf": [{"minLength": 99}]},
        {"type": "object"}, {"if": {"type": "string"}, "then": False}, {"$ref": "#/schemas/company"}, False,
    ],
)  # fmt: skip
def test_no_fault_quotes_the_value(schema: Schema) -> None:
    """It may be a secret, wherever in the schema it was refused."""
    params = compiled(value=Parameter(schema=schema, required=True))

    for value in ("hunter2-canary",):
        with pytest.raises(RefusedParamsError) as caught:
            params.accept({"value": value})
        assert value not in repr(caught.value.faults) + str(caught.value)


@pytest.mark.parametrize("value", [None, [], "x", 3])
def test_params_that_are_no_object_are_one_fault(value: Any) -> None:
    """At the root."""
    assert [""] == [pointer for pointer, _, _ in refusal(compiled(a={}), value)]


def test_hostile_patterns_run_in_linear_time() -> None:
    """`(a+)+$` against 50,000 characters, twenty times the budget of one being no second."""
    params = compiled(value={"type": "string", "pattern": "(a+)+$"})
    hostile = {"value": "a" * 50_000 + "!"}

    began = time.process_time()
    for _ in range(20):
        refusal(params, hostile)

    assert time.process_time() - began < 20 * 0.020


@pytest.mark.parametrize(
    ("schema", "path", "found", "hint"),
    [
        pytest.param({"minimun": 1}, ("minimun",), "an unknown keyword", "did you mean `minimum`?", id="near miss"),
        pytest.param({"properties": {"a": {"minimun": 1}}}, ("properties", "a", "minimun"), "an unknown keyword",
                     "did you mean `minimum`?", id="below"),
        pytest.param({"definitions": {}}, ("definitions",), "an unknown keyword", "2020-12 says `$defs`", id="old"),
        pytest.param({"nullable": True}, ("nullable",), "an unknown keyword",
                     'JSON Schema says `type: [string, "null"]`', id="OpenAPI 3.0"),
        pytest.param({"type": "strin"}, ("type",), '"strin"', "did you mean `string`?", id="no type"),
        pytest.param({"minimum": "1"}, ("minimum",), '"1"', None, id="ill-typed keyword"),
        pytest.param({"items": [{}]}, ("items",), "a list", None, id="items as a list"),
        pytest.param({"format": "dat"}, ("format",), "the format 'dat'", "did you mean `date`?", id="format"),
        pytest.param({"pattern": "(?=a)"}, ("pattern",), "the pattern '(?=a)'", None, id="look-ahead"),
        pytest.param({"pattern": r"(a)\1"}, ("pattern",), r"the pattern '(a)\\1'", None, id="back-reference"),
        pytest.param({"pattern": "["}, ("pattern",), "the pattern '['", None, id="broken pattern"),
        pytest.param({"pattern": "a" * 1001}, ("pattern",), "a pattern of more than 1000 characters", None, id="long"),
        pytest.param({"patternProperties": {"(?!a)": {}}}, ("patternProperties", "(?!a)"), "the pattern '(?!a)'", None,
                     id="pattern of a key"),
        pytest.param({"$ref": "#/schemas/compny"}, ("$ref",), "a $ref to #/schemas/compny",
                     "did you mean `#/schemas/company`?", id="dangling"),
        pytest.param({"$ref": "https://a.example/b"}, ("$ref",), "a $ref to another host, https://a.example/b", None,
                     id="another host"),
        pytest.param({"$ref": "#/$defs/x"}, ("$ref",), "a $ref to #/$defs/x", None, id="dangling definition"),
        pytest.param({"$schema": "http://json-schema.org/draft-07/schema#"}, ("$schema",),
                     '"http://json-schema.org/draft-07/schema#"', None, id="another draft"),
        pytest.param({"type": "integer", "default": "x"}, ("default",), "a default that its own schema refuses", None,
                     id="default"),
        pytest.param({"items": {"properties": {"a/b": {"maximum": 1, "default": 2}}}},
                     ("items", "properties", "a/b", "default"), "a default that its own schema refuses", None,
                     id="default below"),
        pytest.param({"$ref": "#/schemas/company", "default": ""}, ("default",), "a default that its own schema refuses",
                     None, id="default of a reference"),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_found_when_the_file_is_read(
    schema: Schema, path: tuple[str | int, ...], found: str, hint: str | None
) -> None:
    """One issue, at its own place."""
    params, issues = compile_parameters({"value": Parameter(schema=schema)}, named=NAMED, type_name="t")

    assert params is None
    assert [(("value", *path), found, hint)] == [(issue.path, issue.found, issue.hint) for issue in issues]


def test_annotations_and_own_keywords_are_let_through() -> None:
    """A word that is said to nobody but people, or to somebody else."""
    schema = {"title": "t", "examples": [3], "deprecated": True, "x-form": {"minimun": 1}, "contentEncoding": "base64"}

    assert {"value": 1} == compiled(value=schema).accept({"value": 1})


def test_a_named_schema_is_blamed_once_at_its_own_place() -> None:
    """Those who use it are not compiled, and not blamed."""
    named: dict[str, Schema] = {
        "odd": {"minimun": 1},
        "user": {"$ref": "#/schemas/odd"},
        "default": {"const": 1, "default": 2},
    }

    issues = check_named(named)
    params, others = compile_parameters(
        {"value": Parameter(schema={"$ref": "#/schemas/user"})}, named=named, broken=frozenset({"odd"}), type_name="t"
    )

    assert [("odd", "minimun"), ("default", "default")] == [issue.path for issue in issues]
    assert (None, []) == (params, others)


def test_a_schema_without_residue_never_leaves_msgspec() -> None:
    """The shipped parameters among them: the pattern of a plain identifier is one that msgspec can run."""
    params = compiled(
        company_id={"$ref": "#/schemas/company"},
        months={"type": "integer", "minimum": 1, "maximum": 24, "default": 1},
        odd={"type": "string", "pattern": "a|b"},
    )

    assert {"company_id": True, "months": True, "odd": {"pattern": "a|b"}} == {
        name: residue for name, _, residue in params.explain()
    }


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":2}', b'{"a":1,"a":1,"s":":"}', b'{"a":9223372036854775808}', b'{"a":-9223372036854775809}',
        b'{"n":1e999}', b'{"s":"\\ud800"}', b'{"s":"\xff"}', b'{"l":[{"x":1,"x":1}]}', b'{"a":1}}', b"", b'{"a":1,}',
        b'{"s":"\\u003a","a":1,"a":1}',
    ],
)  # fmt: skip
def test_types_that_leave_nothing_open_are_a_door_as_strict(raw: bytes) -> None:
    """What the strict parser refuses, the direct decode does not let in."""
    line = {"type": "object", "properties": {"x": {"type": "integer"}}, "additionalProperties": False}
    schemas: dict[str, Any] = {
        "a": {"type": "integer"}, "n": {"type": "number"}, "s": {"type": "string"}, "l": {"type": "array", "items": line},
    }  # fmt: skip
    params = compiled(**{name: Parameter(schema=schema, required=False) for name, schema in schemas.items()})

    assert params._decode is not None
    with pytest.raises(MalformedBodyError):
        params.accept_body(raw)


@pytest.mark.parametrize(
    "schema",
    [
        True, {}, {"type": "object"}, {"type": "array"}, {"type": ["integer", "string"]}, {"anyOf": [{}]},
        {"type": "object", "properties": {"__type__": {"type": "string"}}, "additionalProperties": False},
        {"$ref": "#/schemas/tree"},
    ],
)  # fmt: skip
def test_types_that_leave_something_open_are_no_door(schema: Schema) -> None:
    """Then the strict parser is asked first."""
    params = compiled(value=Parameter(schema=schema, required=False))

    assert params._decode is None
    with pytest.raises(MalformedBodyError):
        params.accept_body(b'{"value":{"a":1,"a":1}}')


def test_a_schemas_own_references_are_found_in_the_shown_one() -> None:
    """Of a parameter and of a named schema, down to a reference to its own root."""
    own: dict[str, Any] = {
        "type": "object",
        "properties": {"next": {"$ref": "#"}, "size": {"$ref": "#/$defs/size"}},
        "additionalProperties": False,
        "$defs": {"size": {"type": "integer"}},
    }
    params = compiled({"own": own}, value=own, named_one={"$ref": "#/schemas/own"})
    shown = jsonschema_rs.Draft202012Validator(params.json_schema)

    for size, is_valid in ((1, True), ("x", False)):
        value = {"next": {"size": size}}
        assert is_valid == shown.is_valid({"value": value, "named_one": {}})
        assert is_valid == shown.is_valid({"value": {}, "named_one": value})
        assert is_valid == (not params.find_faults({"value": value, "named_one": value}))
