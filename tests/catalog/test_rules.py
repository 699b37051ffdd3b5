"""Rules: what cannot hold is found when the file is read; what cannot be decided at launch is refused."""

from typing import Any

import pytest

from gateway.catalog.rules import CompiledRule, RuleComplaint, compile_rule, make_samples
from gateway.config import Parameter, Rule

PARAMETERS = {
    "months": Parameter(schema={"type": "integer", "minimum": 0, "default": 1}),
    "ratio": Parameter(schema={"type": "number"}, required=False),
    "token": Parameter(schema={"type": "string"}, required=False, secret=True),
    "companies": Parameter(schema={"type": "array", "items": {"$ref": "#/schemas/company"}}, required=False),
    "kind": Parameter(schema={"type": ["string", "null"], "enum": ["a", None]}, required=False),
    "size": Parameter(schema={"type": ["integer", "null"]}, required=False),
    "day": Parameter(schema={"type": "string", "format": "date-time"}, required=False),
}
NAMED = {"company": {"type": "string"}}


def compiled(source: str, parameter: str | None = None) -> CompiledRule | RuleComplaint:
    """Compile one rule over PARAMETERS."""
    rule = Rule(rule=source, message="as it must be", parameter=parameter)
    return compile_rule(rule, PARAMETERS, samples=make_samples(PARAMETERS, NAMED))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("params.months <=", "a rule that does not parse: 1:17: Syntax error", id="syntax"),
        pytest.param("", "a rule that does not parse", id="empty"),
        pytest.param("params.mnths < 2", "a rule over the unknown parameter `mnths`", id="unknown parameter"),
        pytest.param("params['tokn'] == 'a'", "a rule over the unknown parameter `tokn`", id="unknown index"),
        pytest.param("has(params.tok)", "a rule over the unknown parameter `tok`", id="unknown in has()"),
        pytest.param("months < 2", "a rule over the unknown name `months`", id="bare parameter"),
        pytest.param("sqrt(params.months) > 1", "a rule with the unknown function `sqrt`", id="unknown function"),
        pytest.param("params.token.upper() == 'A'", "a rule with the unknown function `upper`", id="unknown method"),
        pytest.param("params.months", "a rule that yields int", id="no boolean"),
        pytest.param("params.months > 1 ? 'a' : 'b'", "a rule that yields str", id="no boolean either way"),
        pytest.param("params.months + 'a' == 'b'", "a rule that joins types which do not meet", id="types"),
        pytest.param("params.token < 3", "a rule that joins types which do not meet", id="comparison of types"),
    ],
)
def test_a_rule_that_cannot_hold_is_found_when_the_file_is_read(source: str, found: str) -> None:
    """Each with its reason."""
    complaint = compiled(source)

    assert isinstance(complaint, RuleComplaint)
    assert complaint.found.startswith(found)


@pytest.mark.parametrize(
    ("source", "params", "holds"),
    [
        pytest.param("params.months <= 12 || has(params.token)", {"months": 12}, True, id="first side"),
        pytest.param("params.months <= 12 || has(params.token)", {"months": 13, "token": "x"}, True, id="second side"),
        pytest.param("params.months <= 12 || has(params.token)", {"months": 13}, False, id="neither side"),
        pytest.param("params.companies.all(c, c.startsWith('a'))", {"companies": ["ab", "a"]}, True, id="macro"),
        pytest.param("params.companies.exists(months, months == 'x')", {"companies": []}, False, id="bound name"),
        pytest.param("'params.zzz' != params.token", {"token": "a"}, True, id="name in a string"),
        pytest.param("timestamp(params.day) > timestamp('2020-01-01T00:00:00Z')", {"day": "2026-01-01T00:00:00Z"}, True,
                     id="timestamps"),
        pytest.param("params.token.matches('^(a+)+$')", {"token": "a" * 50_000 + "!"}, False, id="hostile pattern"),
    ],
)  # fmt: skip
def test_a_rule_decides_over_accepted_params(source: str, params: dict[str, Any], holds: bool) -> None:  # noqa: FBT001 - a column of the table
    """True passes; false is one fault with the rule's message."""
    rule = compiled(source, "months")

    assert isinstance(rule, CompiledRule), rule
    fault = rule.check(params)
    assert holds == (fault is None)
    assert fault is None or ("/months", "rule", "as it must be") == (fault.pointer, fault.code, fault.detail)


@pytest.mark.parametrize(
    ("source", "params"),
    [
        pytest.param("params.token == 'a'", {"months": 1}, id="missing parameter"),
        pytest.param("10 / params.months > 1", {"months": 0}, id="division by zero"),
        pytest.param("params.companies[0] == 'a'", {"companies": []}, id="index"),
        pytest.param("int(params.token) > 1", {"token": "hunter2"}, id="conversion"),
        pytest.param("timestamp(params.day) > timestamp('2020-01-01T00:00:00Z')", {"day": "hunter2"}, id="timestamp"),
        pytest.param("params.ratio + 1.0 > 1.0", {"ratio": 1}, id="integer in a number"),
    ],
)
def test_what_cannot_be_decided_is_refused_without_its_values(source: str, params: dict[str, Any]) -> None:
    """Never a pass, never an exception, never a secret in the sentence."""
    rule = compiled(source)

    assert isinstance(rule, CompiledRule), rule
    fault = rule.check(params)
    assert fault is not None
    assert ("", "undecided_rule") == (fault.pointer, fault.code)
    assert "the rule cannot be decided for these params: as it must be" == fault.detail
    assert "hunter2" not in repr(fault)


def test_a_rule_that_fails_an_example_types_is_found_by_it() -> None:
    """Examples are params to try a rule on where the schema does not say a type."""
    parameters = {"any": Parameter(schema=True)}
    rule = Rule(rule="params.any", message="x")

    unsure = compile_rule(rule, parameters, samples=make_samples(parameters, {}))
    tried = compile_rule(rule, parameters, samples=[{"any": 3}])

    assert isinstance(unsure, CompiledRule)
    assert RuleComplaint("a rule that yields int", "one that yields true or false") == tried
