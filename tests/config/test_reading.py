"""One file: every mistake is told, in the order of the lines, and none is told twice."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalog.deployment import Deployment
from gateway.errors import ConfigError
from gateway.loading import compile_sources
from tests.harness import ROOT

SOUND = [path.read_bytes() for path in [ROOT / "tasks.yaml", *sorted((ROOT / "tests/data/valid").glob("*.yaml"))]]
DEPLOYMENT = Deployment()
MANY = """\
version: "1"
schemas:
  size: {type: integr}
  1st: {}
defaults:
  queue: very fast
  priorty: 3
tasks:
  shop.order:
    qeue: x
    keep_s: no
    deprecated: "true"
    tags: [Shop, 5]
    parameters:
      item-id: {type: string}
      count: {type: integer, minimum: 3, default: 1}
      size: {$ref: "#/schemas/size"}
      code: {type: string, pattern: "(", secret: 1}
    rules:
      - {rule: params.count > 1}
    caller_options: [eta, countdown]
  shop.order:
    description: &d text
  a/b:
  c: {soft_time_limit_s: 5, time_limit_s: 5, title: *d}
"""


def complain(text: str) -> list[tuple[int, int, str]]:
    """Return the place and the path of each issue."""
    with pytest.raises(ConfigError) as caught:
        compile_sources({"t": text.encode()}, DEPLOYMENT)
    return [(issue.line, issue.column, issue.path) for issue in caught.value.issues]


def test_one_run_tells_every_mistake_of_a_file() -> None:
    """In the order of the file, each at its own place."""
    task = "tasks.shop.order"

    assert [
        (1, 10, "version"),
        (3, 16, "schemas.size.type"),
        (4, 3, "schemas.1st"),
        (6, 10, "defaults.queue"),
        (7, 3, "defaults.priorty"),
        (10, 5, f"{task}.qeue"),
        (11, 13, f"{task}.keep_s"),
        (12, 17, f"{task}.deprecated"),
        (13, 12, f"{task}.tags.0"),
        (13, 18, f"{task}.tags.1"),
        (15, 7, f"{task}.parameters.item-id"),
        (16, 51, f"{task}.parameters.count.default"),
        (18, 37, f"{task}.parameters.code.pattern"),
        (18, 50, f"{task}.parameters.code.secret"),
        (20, 9, f"{task}.rules.0"),
        (21, 27, f"{task}.caller_options.1"),
        (22, 3, "tasks.shop.order"),
        (23, 18, "tasks.shop.order (again).description"),
        (24, 3, "tasks.a/b"),
        (24, 7, "tasks.a/b"),
        (25, 26, "tasks.c.soft_time_limit_s"),
        (25, 53, "tasks.c.title"),
    ] == complain(MANY)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            "parameters: {n: integer}\n    examples: [{n: 1}]\n    rules: [{rule: params.n > 0, message: m, parameter: n}]",
            [(4, 21, "tasks.a.parameters.n")],
            id="rules and examples over a parameter that is ill-typed",
        ),
        pytest.param(
            'parameters: {n: {required: "no"}}\n    examples: [{}]',
            [(4, 32, "tasks.a.parameters.n.required")],
            id="an example without what may be optional",
        ),
        pytest.param(
            "parameters: {n: {type: integer, default: 1, type: integer}}",
            [(4, 49, "tasks.a.parameters.n.type")],
            id="a keyword twice",
        ),
        pytest.param(
            "parameters: {n: &a {type: integer}, m: *a}\n    examples: [{n: 1, m: 2}]",
            [(4, 21, "tasks.a.parameters.n"), (4, 44, "tasks.a.parameters.m")],
            id="an anchor and its alias",
        ),
        pytest.param("queue: !x a\n", [(4, 12, "tasks.a.queue")], id="a tag"),
        pytest.param("name: *a\n", [(4, 11, "tasks.a.name")], id="an alias of nothing"),
        pytest.param("tags: [no]", [(4, 12, "tasks.a.tags.0")], id="a surprise where text is wanted"),
        pytest.param("keep_s: 0777", [(4, 13, "tasks.a.keep_s")], id="a surprise where a number is wanted"),
    ],
)
def test_what_follows_from_a_mistake_is_not_told(body: str, expected: list[tuple[int, int, str]]) -> None:
    """Who mends the one mistake has mended the file."""
    assert expected == complain(f"version: 1\ntasks:\n  a:\n    {body}\n")


def test_a_named_schema_that_is_none_is_told_once() -> None:
    """Not again wherever it is used."""
    text = "version: 1\nschemas: {s: integer}\ntasks: {a: {parameters: {n: {$ref: '#/schemas/s'}, m: {$ref: '#/schemas/s'}}}}\n"

    assert [(2, 14, "schemas.s")] == complain(text)


def test_a_mistake_in_the_defaults_is_told_once() -> None:
    """There, and not in every task type that takes it."""
    text = "version: 1\ndefaults: {soft_time_limit_s: 9, time_limit_s: 9, caller_options: [eta, eta]}\ntasks: {a: {}, b: {}}\n"

    assert [(2, 31, "defaults.soft_time_limit_s"), (2, 73, "defaults.caller_options.1")] == complain(text)


MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "copy", "insert", "swap lines", "copy line", "cut line"]),
        st.floats(0, 1),
        st.integers(0, 255),
    ),
    min_size=1,
    max_size=8,
)


def mutate(data: bytes, steps: list[tuple[str, float, int]]) -> bytes:
    """Apply mutations, each at a relative place."""
    for kind, where, byte in steps:
        at = int(where * len(data))
        lines = data.split(b"\n")
        first, second = int(where * (len(lines) - 1)), byte % len(lines)
        if kind == "flip" and at < len(data):
            data = data[:at] + bytes([data[at] ^ (byte or 1)]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at] + data[at + byte :]
        elif kind == "copy":
            data = data[:at] + data[max(0, at - byte) : at] + data[at:]
        elif kind == "insert":
            data = data[:at] + bytes([byte]) + data[at:]
        else:
            if kind == "swap lines":
                lines[first], lines[second] = lines[second], lines[first]
            elif kind == "copy line":
                lines.insert(second, lines[first])
            else:
                lines.pop(first)
            data = b"\n".join(lines)
    return data


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(SOUND), MUTATIONS)
def test_a_mutated_file_is_sound_or_has_issues(data: bytes, steps: list[tuple[str, float, int]]) -> None:
    """No other exception, within a second, and every issue is one printable line at a place that exists."""
    mutated = mutate(data, steps)
    began = time.process_time()
    try:
        catalog = compile_sources({"mutated.yaml": mutated}, DEPLOYMENT)
    except ConfigError as error:
        lines = mutated.decode("utf-8-sig", errors="replace").splitlines()
        assert error.issues  # noqa: PT017 - both ends are fine, a third is not
        assert all(str(issue).isprintable() and issue.column >= 1 for issue in error.issues)  # noqa: PT017
        assert all(1 <= issue.line <= len(lines) + 1 for issue in error.issues)  # noqa: PT017
    else:
        assert catalog.digest
    assert time.process_time() - began < 1
