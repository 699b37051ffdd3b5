"""What an issue quotes of a file is one line of a log, and short, wherever in the file it stands."""

import pytest

from gateway.catalog.deployment import Deployment
from gateway.errors import ConfigError
from gateway.loading import compile_sources

HEAD = "version: 1\ntasks:\n  a:\n    "
LONG = "x" * 100_000
LINES = '"' + "x\\n" * 5000 + '"'
"""A text of many lines, as YAML writes it on one."""
QUOTED = {
    "tag": f"{HEAD}queue: !%s q",
    "verbatim tag": f"{HEAD}queue: !<%s> q",
    "anchor": f"{HEAD}queue: &%s q",
    "alias": f"{HEAD}queue: *%s",
    "key": f"{HEAD}? %s\n    : 1",
    "task type": "version: 1\ntasks: {? %s : {}}",
    "schema": "version: 1\ntasks: {}\nschemas: {? %s : {}}",
    "value": f"{HEAD}queue: %s",
    "number": f"{HEAD}keep_s: %s",
    "caller option": f"{HEAD}caller_options: [%s]",
    "rule": f"{HEAD}rules: [{{message: m, rule: %s}}]",
    "blamed parameter": f"{HEAD}rules: [{{rule: 'true', message: m, parameter: %s}}]",
    "keyword": f"{HEAD}parameters: {{n: {{? %s : 1}}}}",
    "type": f"{HEAD}parameters: {{n: {{type: %s}}}}",
    "format": f"{HEAD}parameters: {{n: {{format: %s}}}}",
    "pattern": f"{HEAD}parameters: {{n: {{$ref: %s}}}}",
    "named property": f"{HEAD}parameters: {{n: {{required: [%s]}}}}\n    examples: [{{n: {{}}}}]",
    "constant": f"{HEAD}parameters: {{n: {{const: %s}}}}\n    examples: [{{n: 1}}]",
    "member of an example": f"{HEAD}examples: [{{? %s : 1}}]",
    "version": "version: %s\ntasks: {}",
    "root": "%s",
}
REFERENCES = {
    "a schema": "#/schemas/",
    "a definition": "#/$defs/",
    "an anchor": "#",
    "another host": "https://example.org/",
    "another file": "file:/",
}


def complain(text: str) -> list[str]:
    """Return the issues of a file that has some, one string each."""
    with pytest.raises(ConfigError) as caught:
        compile_sources({"f": text.encode()}, Deployment())
    return [str(issue) for issue in caught.value.issues]


@pytest.mark.parametrize("text", QUOTED.values(), ids=QUOTED.keys())
@pytest.mark.parametrize(
    "quoted", [LONG, LINES, "1" * 5000, "%0Af:9:9:%20found%0d", "é" * 5000], ids=lambda text: text[:8]
)
def test_whatever_is_quoted_is_one_short_line(text: str, quoted: str) -> None:
    """A file cannot write lines of its own into the log, nor fill it."""
    for issue in complain(text % quoted):
        assert issue.isprintable()
        assert len(issue) < 500


@pytest.mark.parametrize("prefix", REFERENCES.values(), ids=REFERENCES.keys())
@pytest.mark.parametrize("name", ["x" * 100_000, "x\\n" * 5000], ids=["long", "lines"])
def test_a_reference_is_one_short_line(prefix: str, name: str) -> None:
    """Wherever it leads."""
    for issue in complain(f'{HEAD}parameters: {{n: {{$ref: "{prefix}{name}"}}}}'):
        assert issue.isprintable()
        assert len(issue) < 500


def test_a_near_miss_is_one_short_line() -> None:
    """A named schema may have any name until it is mended."""
    name = "x\\n" * 60
    text = (
        f'version: 1\nschemas: {{"{name}": {{}}}}\ntasks: {{a: {{parameters: {{n: {{$ref: "#/schemas/{name}y"}}}}}}}}'
    )

    issues = complain(text)

    assert 2 == len(issues)
    assert all(issue.isprintable() and len(issue) < 500 for issue in issues)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        pytest.param("!a%0Af:9:9:%20found q", r"the tag !a\nf:9:9: found", id="an escaped line break in a tag"),
        pytest.param("!!str%0D%1b%e2%80%ae q", r"the tag !!str\r\x1b\u202e", id="other control characters in a tag"),
        pytest.param(f"&{LONG} q", f"the anchor &{'x' * 59}…", id="anchor"),
        pytest.param(f"*{LONG}", f"the alias *{'x' * 59}…", id="alias"),
    ],
)
def test_what_cannot_be_shown_is_escaped_and_what_is_long_is_cut(value: str, found: str) -> None:
    """So that a person still knows what was meant."""
    (issue,) = complain(f"{HEAD}queue: {value}")

    assert issue.startswith(f"f:4:12: tasks.a.queue: found {found}, wanted ")
