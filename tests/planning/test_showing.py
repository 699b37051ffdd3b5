"""What was compiled, as those who edit the file see it."""

import shlex
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalog.compiling import compile_catalog
from gateway.catalog.deployment import Deployment
from gateway.catalog.task_type import TaskType
from gateway.config import parse, read
from gateway.planning.minimal import make_params
from gateway.planning.showing import describe, render

CONTENT = """
version: 1
schemas:
  id: {type: string, pattern: "^[a-c]+$", default: a, description: An id.}
tasks:
  t:
    title: A task
    name: pkg.t
    queue: q
    deprecated: true
    parameters:
      id: {$ref: "#/schemas/id"}
      mail: {type: string, format: email}
      level: {enum: [1, 2]}
      token: {type: string, default: hidden, secret: true}
      other: {required: false}
    rules: [{rule: "params.level > 0", message: too low}]
"""


def load(content: str) -> TaskType:
    """Compile the task type `t`."""
    document, issues = parse(content.encode(), file="f")
    assert document is not None
    config, more = read([document])
    catalog, most = compile_catalog(config, Deployment(), generation=1)
    assert [] == [*issues, *more, *most]
    return catalog.find("t")


def test_the_text_says_how_it_runs_and_what_checks_each_parameter() -> None:
    """A secret's default is not shown."""
    text = render(describe(load(CONTENT), base_url="http://h:1/", prefix="/p"))

    assert (
        """\
t: A task

  name               pkg.t
  queue              q
  priority           none
  expires_s          none
  time_limit_s       none
  soft_time_limit_s  none
  keep_s             604800
  max_queued         none
  rate_limit         none
  delivery           at_least_once
  reconcile_after_s  10
  when_unavailable   queue
  concurrency        none
  caller_options     none
  tags               none
  deprecated         yes

Parameters:
  id: string, optional, default "a"
      An id.
      msgspec checks        {"type":"string","pattern":"\\\\A[a-c]+\\\\Z"}
      jsonschema-rs checks  nothing
  mail: string, required
      msgspec checks        {"type":"string"}
      jsonschema-rs checks  {"format":"email"}
  level: 1 or 2, required
      msgspec checks        {"enum":[1,2]}
      jsonschema-rs checks  nothing
  token: string, optional, secret
      msgspec checks        {"type":"string"}
      jsonschema-rs checks  nothing
  other: any JSON value, optional
      msgspec checks        nothing
      jsonschema-rs checks  nothing

Rules:
  params.level > 0
      too low

Launch it:

curl -sS http://h:1/p/tasks/launch/t -H 'Content-Type: application/json' -d '{"mail":"a@example.org","level":1}'
"""
        == text
    )


def test_the_value_holds_the_same() -> None:
    """Without a secret's default, and without one where there is none."""
    shown = msgspec.to_builtins(describe(load(CONTENT), base_url="http://h", prefix=""))

    defaults = {each["name"]: each["default"] for each in shown["parameters"] if "default" in each}
    assert {"id": "a"} == defaults
    assert ["token"] == [each["name"] for each in shown["parameters"] if each["secret"]]
    assert ("pkg.t", True, ()) == (shown["name"], shown["deprecated"], shown["examples"])


def test_a_task_type_without_parameters_is_launched_with_an_empty_object() -> None:
    """And it says so."""
    text = render(describe(load("version: 1\ntasks: {t: {}}"), base_url="http://h", prefix=""))

    assert "Parameters:\n  none\n" in text
    assert text.endswith("Launch it:\n\ncurl -sS http://h/tasks/launch/t -H 'Content-Type: application/json' -d '{}'\n")


def test_the_first_example_is_what_the_line_sends() -> None:
    """Quoted for the shell."""
    task_type = load('version: 1\ntasks: {t: {parameters: {a: {}}, examples: [{a: "it\'s $HOME"}, {a: 1}]}}')

    shown = describe(task_type, base_url="http://h", prefix="")

    assert '{"a":"it\'s $HOME"}' == shlex.split(shown.curl)[-1]
    assert shown.is_curl_accepted
    assert """Examples:\n  {"a":"it's $HOME"}\n  {"a":1}\n""" in render(shown)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param("false", None, id="nothing is accepted"),
        pytest.param("{type: array, items: false, minItems: 1}", [], id="no item is accepted"),
        pytest.param('{type: string, pattern: "^x{7}y$"}', "a", id="an odd pattern"),
    ],
)
def test_params_that_are_a_guess_are_said_to_be_one(schema: str, value: Any) -> None:
    """Where none that are accepted can be found."""
    shown = describe(load(f"version: 1\ntasks: {{t: {{parameters: {{a: {schema}}}}}}}"), base_url="http://h", prefix="")

    assert {"a": value} == msgspec.json.decode(shlex.split(shown.curl)[-1])
    assert "Launch it, once you have replaced the params, which are a guess:" in render(shown)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param("{const: 7}", 7, id="const"),
        pytest.param("{enum: [x, y]}", "x", id="enum"),
        pytest.param("{type: string, examples: [abc]}", "abc", id="example"),
        pytest.param("{type: integer, minimum: 7}", 7, id="minimum"),
        pytest.param("{type: integer, exclusiveMinimum: 7}", 8, id="above"),
        pytest.param("{type: integer, maximum: -7}", -7, id="maximum"),
        pytest.param("{type: number, exclusiveMaximum: -7}", -8, id="below"),
        pytest.param("{type: integer, multipleOf: 7, minimum: 1}", 7, id="multiple"),
        pytest.param("{type: string, minLength: 6}", "aaaaaa", id="length"),
        pytest.param('{type: string, pattern: "^[0-9]{4}-[0-9]{2}$"}', "2026-01", id="pattern"),
        pytest.param("{type: string, format: date-time}", "2026-01-31T12:00:00Z", id="format"),
        pytest.param("{type: array}", [], id="a list"),
        pytest.param("{type: array, minItems: 2, items: {type: boolean}}", [True, False], id="two items"),
        pytest.param("{type: array, minItems: 3, items: {const: 1}}", [1, 1, 1], id="three alike"),
        pytest.param("{type: array, prefixItems: [{const: 1}], minItems: 1}", [1], id="prefix"),
        pytest.param("{type: object}", {}, id="object"),
        pytest.param(
            "{type: object, required: [a], properties: {a: {type: integer}}}",
            {"a": 1},
            id="members",
        ),
        pytest.param('{type: [boolean, "null"]}', True, id="one of two types"),
        pytest.param("{type: boolean}", True, id="boolean"),
        pytest.param('{type: "null"}', None, id="null"),
        pytest.param("{anyOf: [{const: 1}, {const: 2}]}", 1, id="alternatives"),
        pytest.param("{type: integer, allOf: [{minimum: 5}]}", 5, id="conditions"),
        pytest.param('{$ref: "#/schemas/s"}', "s", id="reference"),
        pytest.param("true", "a", id="anything"),
    ],
)
def test_params_are_found_that_are_accepted(schema: str, value: Any) -> None:
    """For the usual schemas."""
    content = f"version: 1\nschemas: {{s: {{const: s}}}}\ntasks: {{t: {{parameters: {{a: {schema}}}}}}}"

    shown = describe(load(content), base_url="http://h", prefix="")

    assert ({"a": value}, True) == (msgspec.json.decode(shlex.split(shown.curl)[-1]), shown.is_curl_accepted)


def test_a_recursive_schema_ends() -> None:
    """In what was found so far."""
    shown = {
        "required": ["a"],
        "properties": {"a": {"$ref": "#/$defs/n"}},
        "$defs": {"n": {"allOf": [{"$ref": "#/$defs/n"}], "type": "integer"}},
    }

    assert {"a": 1} == make_params(shown, is_sound=lambda _, value: value == 1)


@settings(deadline=None)
@given(low=st.integers(-(10**6), 10**6), width=st.integers(1, 10**6))
def test_a_range_of_integers_always_yields_one(low: int, width: int) -> None:
    """Whatever its bounds."""
    schema = f"{{type: integer, minimum: {low}, maximum: {low + width}}}"

    shown = describe(load(f"version: 1\ntasks: {{t: {{parameters: {{a: {schema}}}}}}}"), base_url="http://h", prefix="")

    assert {"a": low} == msgspec.json.decode(shlex.split(shown.curl)[-1])
