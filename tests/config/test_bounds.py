"""Well-formed files that were made to take long: each is judged within a second, and says where it is too much."""

import sys
import time

import pytest

from gateway.catalog.deployment import Deployment
from gateway.config.excerpt import render_issues
from gateway.config.issues import MAX_ISSUES
from gateway.config.text import MAX_BYTES
from gateway.errors import ConfigError
from gateway.loading import compile_sources

LIMIT_S = 1 if sys.gettrace() is None else 10
"""Coverage takes most of the time when it is measured."""


def number(text: str, count: int) -> str:
    """Write a text so many times, with a number of its own for each `@`."""
    return "".join(text.replace("@", str(index)) for index in range(count))


HEAD = "version: 1\ntasks:\n  a:\n"
PARAMETERS = HEAD + "    parameters:\n" + number("      n@: {type: integer}\n", 6000)
SCHEMAS = "version: 1\nschemas:\n" + number("  s@: {}\n", 8000)
FULL = "found 100 issues before this line, wanted those mended first"
DIRECTIVES = "found more than 100 %TAG directives, wanted none: tags are refused"
BOUNDED = {
    "distinct tags": (
        HEAD + "    tags: [" + number("t@,", 90_000) + "]",
        "f:4:402: tasks.a.tags.100: found 90000 items, wanted at most 100",
    ),
    "tags that are none": (HEAD + "    tags: [" + number("T@,", 90_000) + "]", f"f:4:402: {FULL}"),
    "rules": (
        HEAD + "    rules:\n" + number('    - {rule: "true", message: m}\n', 15_000),
        "f:105:7: tasks.a.rules.100: found 15000 items, wanted at most 100",
    ),
    "rules over many parameters": (
        PARAMETERS + "    rules:\n" + number("    - {rule: params.n@ > 0, message: m, parameter: n@}\n", 5000),
        "f:6106:7: tasks.a.rules.100: found 5000 items, wanted at most 100",
    ),
    "rules over unknown parameters beside many": (
        PARAMETERS + "    rules:\n" + number("    - {rule: params.m@ > 0, message: m}\n", 100),
        "f:6105:14: tasks.a.rules.99.rule: found a rule over the unknown parameter `m99`, wanted a declared one "
        "(did you mean `params.n99`?)",
    ),
    "rules that blame unknown parameters beside many": (
        PARAMETERS + "    rules:\n" + number('    - {rule: "true", message: m, parameter: m@}\n', 100),
        "f:6105:45: tasks.a.rules.99.parameter: found `m99`, wanted one of n0, n1, n10, n100, n1000, n1001, n1002, "
        "n1003, … (did you mean `n99`?)",
    ),
    "rules without anything": (HEAD + f"    rules: [{'{},' * 30_000}]", f"f:4:313: {FULL}"),
    "one option many times": (
        HEAD + f"    caller_options: [{'eta,' * 90_000}]",
        "f:4:38: tasks.a.caller_options.4: found 90000 items, wanted at most 4",
    ),
    "unknown options": (
        HEAD + "    caller_options: [" + number("o@,", 90_000) + "]",
        "f:4:34: tasks.a.caller_options.4: found 90000 items, wanted at most 4",
    ),
    "unknown options of many task types": (
        "version: 1\ntasks:\n" + number("  a@: {caller_options: [etta, prio]}\n", 10_000),
        f"f:53:26: {FULL}",
    ),
    "unknown keys": (HEAD + number("    k@: 1\n", 45_000), f"f:104:5: {FULL}"),
    "examples": (
        HEAD + f"    parameters: {{n: {{}}}}\n    examples: [{'{n: 1},' * 20_000}]",
        "f:5:716: tasks.a.examples.100: found 20000 items, wanted at most 100",
    ),
    "unknown keywords": (
        HEAD + "    parameters:\n      n:\n" + number("        k@: 1\n", 45_000),
        f"f:106:9: {FULL}",
    ),
    "parameters that are wrong": (
        HEAD + "    parameters:\n" + number("      n@: {type: intger}\n", 15_000),
        f"f:105:20: {FULL}",
    ),
    "properties that are wrong": (
        HEAD + "    parameters:\n      n:\n        properties:\n" + number("          n@: {type: intger}\n", 5000),
        f"f:107:24: {FULL}",
    ),
    "task types with parameters that are wrong": (
        "version: 1\ntasks:\n" + number("  a@: {parameters: {n: {type: intger}}}\n", 2000),
        f"f:103:33: {FULL}",
    ),
    "schemas that are wrong": (
        "version: 1\ntasks: {}\nschemas:\n" + number("  n@: {type: intger}\n", 15_000),
        f"f:104:16: {FULL}",
    ),
    "references to nowhere beside many schemas": (
        SCHEMAS + "tasks:\n  a:\n    parameters:\n" + number("      n@: {$ref: '#/schemas/q@'}\n", 8000),
        f"f:8106:20: {FULL}",
    ),
    "directives": (number("%TAG !t@! x\n", 60_000) + "--- {}", f"f:101:1: {DIRECTIVES}"),
    "directives of a second document": (
        "a: b\n...\n" + number("# x\r%TAG !t@! x\r", 45_000) + "--- {}",
        f"f:204:1: {DIRECTIVES}",
    ),
}
"""Files, and the last of their issues."""


@pytest.mark.parametrize(("text", "last"), BOUNDED.values(), ids=BOUNDED.keys())
def test_no_file_takes_longer_than_a_second(text: str, last: str) -> None:
    """To be read, compiled and shown; what is too much has its place."""
    sources = {"f": text.encode()}
    began = time.process_time()

    with pytest.raises(ConfigError) as caught:
        compile_sources(sources, Deployment())

    shown = render_issues(caught.value.issues, sources)
    assert time.process_time() - began < LIMIT_S
    assert last == str(caught.value.issues[-1])
    assert len(sources["f"]) <= MAX_BYTES
    assert len(caught.value.issues) <= MAX_ISSUES + 1
    assert len(shown) < 50_000
