"""The official test suite of JSON Schema 2020-12, each schema as that of one parameter."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Parameter
from gateway.errors import RefusedParamsError
from gateway.schema import compile_parameters

SUITE = Path(__file__).parents[3] / "shared" / "json-schema-test-suite" / "tests" / "draft2020-12"
REFUSALS = {
    "remote": "none is ever fetched",
    "metaschema": "https://json-schema.org/draft/2020-12/schema, or nothing",
    "default": "one that fits its `",
}
"""Why a schema of the suite may be refused when the file is read, by what its issue wants."""
EXPECTED = {"agree": 1224, "format asserts here": 19, "remote": 44, "metaschema": 5, "default": 7}
"""Cases; the suite takes `format` for an annotation, and a default for one that need not fit."""

pytestmark = pytest.mark.skipif(not SUITE.is_dir(), reason="the suite is not part of this project")


def judge(schema: Any, cases: list[dict[str, Any]]) -> list[str]:
    """Run the cases of one schema; name the outcome of each."""
    params, issues = compile_parameters(
        {"value": Parameter(schema=schema, required=True)}, named={}, type_name="conformance"
    )
    if params is None:
        reasons = {reason for reason, words in REFUSALS.items() if any(words in issue.wanted for issue in issues)}
        return ["+".join(sorted(reasons)) or f"refused: {issues}"] * len(cases)
    outcomes = []
    for case in cases:
        try:
            is_valid = params.accept({"value": case["data"]}) is not None
        except RefusedParamsError as error:
            is_valid = False
            if case["valid"] and {"format"} == {fault.code for fault in error.faults}:
                outcomes.append("format asserts here")
                continue
        outcomes.append("agree" if is_valid == case["valid"] else f"disagree on {case['description']}")
    return outcomes


def test_every_case_agrees_or_its_schema_is_refused_for_a_stated_reason() -> None:
    """All required cases; nothing is refused but what leads to another host, or does not hold."""
    counts: dict[str, int] = {}
    for file in sorted(SUITE.glob("*.json")):
        for group in json.loads(file.read_text()):
            for outcome in judge(group["schema"], group["tests"]):
                known = outcome if outcome in EXPECTED else f"{file.name}: {group['description']}: {outcome}"
                counts[known] = counts.get(known, 0) + 1

    assert counts == EXPECTED
    assert sum(counts.values()) >= 1299
