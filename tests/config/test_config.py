"""Several files are one gateway: names are unique, schemas are shared, defaults are of a file."""

import pytest

from gateway.catalog.deployment import Deployment
from gateway.config import parse, read
from gateway.errors import ConfigError
from gateway.loading import compile_sources

DEPLOYMENT = Deployment()


def complain(**files: str) -> list[str]:
    """Return the issues of files that are given by their names."""
    with pytest.raises(ConfigError) as caught:
        compile_sources({f"{name}.yaml": text.encode() for name, text in files.items()}, DEPLOYMENT)
    return str(caught.value).splitlines()


def test_names_are_unique_across_files() -> None:
    """Both places are named."""
    text = "version: 1\nschemas: {s: {}}\ntasks: {x: {}}\n"

    assert [
        "b.yaml:2:11: schemas.s: found the same name again, wanted each name once; the first is at a.yaml:2:11",
        "b.yaml:3:9: tasks.x: found the same name again, wanted each name once; the first is at a.yaml:3:9",
    ] == complain(a=text, b=text)


def test_keys_differ_in_more_than_case_across_files() -> None:
    """A person who reads one over the telephone means one task."""
    assert [
        "b.yaml:2:9: tasks.shop: found the key `shop`, wanted keys that differ in more than case; `Shop` is at a.yaml:2:9"
    ] == complain(a="version: 1\ntasks: {Shop: {}}\n", b="version: 1\ntasks: {shop: {}}\n")


def test_the_second_of_two_equal_names_is_read_all_the_same() -> None:
    """Its own mistakes are told in the same run."""
    assert [
        "b.yaml:2:9: tasks.x: found the same name again, wanted each name once; the first is at a.yaml:2:9",
        "b.yaml:2:23: tasks.x.priority: found -1, wanted an integer from 0 to 255",
    ] == complain(a="version: 1\ntasks: {x: {}}\n", b="version: 1\ntasks: {x: {priority: -1}}\n")


def test_files_share_schemas_but_not_defaults() -> None:
    """A folder is one catalog; `defaults` are of a file, and a schema may stand in a file that comes later."""
    catalog = compile_sources(
        {
            "a.yaml": b'version: 1\ntasks: {y: {parameters: {n: {$ref: "#/schemas/s"}}}}\n',
            "b.yaml": b"version: 1\nschemas: {s: {type: integer}}\ndefaults: {queue: q}\ntasks: {x: {}}\n",
        },
        DEPLOYMENT,
    )

    assert [("y", "celery"), ("x", "q")] == [(each.task_type, each.queue) for each in catalog.task_types.values()]


def test_a_file_that_cannot_be_read_is_not_told_again_by_the_others() -> None:
    """A schema that may stand in it is not called missing; what each file says by itself is judged."""
    other = 'version: 1\ntasks: {y: {parameters: {n: {$ref: "#/schemas/s"}}, priority: -1}}\n'

    assert [
        "a.yaml:2:10: found a `{` that is neither continued nor closed at 3:1, wanted a comma or `}` there",
        "b.yaml:2:63: tasks.y.priority: found -1, wanted an integer from 0 to 255",
    ] == complain(a="version: 1\nschemas: {s: {}\ntasks: {}\n", b=other)


def test_issues_are_in_the_order_of_files_and_lines() -> None:
    """Whichever stage finds them."""
    late = "version: 1\ntasks:\n  {name}:\n    parameters: {{n: {{type: intger}}}}\n    qeue: x\n"

    lines = complain(b=late.format(name="b"), a=late.format(name="a"))

    assert ["a.yaml:4:28", "a.yaml:5:5", "b.yaml:4:28", "b.yaml:5:5"] == [line.partition(": ")[0] for line in lines]


def test_defaults_of_a_file_give_way_to_its_entries() -> None:
    """Also to a falsy one."""
    text = b"version: 1\ndefaults: {priority: 5, queue: q, caller_options: [eta]}\ntasks: {a: {priority: 0, caller_options: []}, b: {}}"
    document, _ = parse(text, file="f")
    assert document is not None

    config, issues = read([document])

    assert [] == issues
    assert [(0, "q", ()), (5, "q", ("eta",))] == [
        (spec.priority, spec.queue, spec.caller_options) for spec in config.tasks.values()
    ]
