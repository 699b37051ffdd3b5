"""The editor's schema keeps step with the reader: what is wrong by structure is wrong for both."""

import copy
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import Document, parse
from gateway.config.editor_schema import write_editor_schema
from gateway.config.reading import read_file
from gateway.schema.checking import check_schema
from gateway.schema.vocabulary import KEYWORDS

DATA = Path(__file__).parents[1] / "data"
EDITOR = jsonschema_rs.Draft202012Validator(write_editor_schema(), pattern_options=jsonschema_rs.FancyRegexOptions())
BEYOND_STRUCTURE = {
    "a reserved word or a clash": ("batch", "parameter_self", "equal_but_for_case", "_twice"),
    "what keys say of each other": (
        "soft_limit", "hard_limit", "limit_beyond", "beyond_visibility", "keep_s_too_short", "expiry_beyond",
        "unknown_parameter", "secret_key", "_lease",
    ),
    "what a schema means": ("format", "pattern", "look_ahead", "back_reference", "ref_to_", "ref_below", "default_"),
    "what rules and examples mean": (
        "rule_that", "rule_over", "rule_blames", "rule_with_unknown", "rule_without_parameters", "example_that",
        "example_with", "example_against",
    ),
    "a whole number with a point, which JSON Schema calls an integer": ("version_as_float", "priority_as_float"),
}  # fmt: skip
"""Mistakes that an editor's schema cannot see, by a part of their file's name."""
MEANT = {"$ref", "$dynamicRef", "format", "pattern"}
"""Keywords whose strings have a meaning beyond structure."""


def read_corpus(kind: str) -> list[Any]:
    """Read the files of a folder that are sound YAML."""
    parsed = [(path.stem, *parse(path.read_bytes(), file=path.name)) for path in sorted((DATA / kind).glob("*.yaml"))]
    return [pytest.param(name, document.value, id=name) for name, document, issues in parsed if document and not issues]


VALID = [each.values[1] for each in read_corpus("valid")]


@pytest.mark.parametrize(("name", "value"), read_corpus("valid"))
def test_sound_files_have_no_red_lines(name: str, value: Any) -> None:
    """An editor takes what the reader takes."""
    assert [] == [error.message for error in EDITOR.iter_errors(value)], name


@pytest.mark.parametrize(("name", "value"), read_corpus("invalid"))
def test_what_is_wrong_by_structure_has_a_red_line(name: str, value: Any) -> None:
    """And what is wrong beyond it has none, so that the table above is exact."""
    is_beyond = any(part in name for parts in BEYOND_STRUCTURE.values() for part in parts)

    assert is_beyond == EDITOR.is_valid(value)


def test_the_editor_knows_every_keyword_that_works() -> None:
    """None that works has a red line."""
    defs = write_editor_schema()["$defs"]

    assert KEYWORDS == defs["Schema"]["properties"].keys()
    assert KEYWORDS | {"secret"} == defs["Parameter"]["properties"].keys()


def find_places(value: Any) -> list[tuple[Any, Any]]:
    """List every container of a value with each of its keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in [(value, key), *find_places(item)]]


def is_sound_to_the_reader(value: Any) -> bool:
    """Judge by structure: the model, and every schema against the standard."""
    file, issues = read_file(Document(file="f", value=value, keys={}, values={}))
    schemas = [each.schema for task in file.tasks.values() for each in task.parameters.values()]
    complaints = [issue for each in [*schemas, *file.schemas.values()] for issue in check_schema(each, named={})]
    return not issues and all(MEANT & set(map(str, complaint.path[-1:])) for complaint in complaints)


REPLACEMENTS = st.sampled_from(
    [None, True, 0, -1, 5.5, "", "x y", "a", "a\n", [], ["a"], ["a", "a"], [1], {}, {"a": {}}]
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["replace", "delete", "rename", "add"]), st.integers(0, 10_000), REPLACEMENTS),
    min_size=1,
    max_size=3,
)


def mutate(value: Any, steps: list[tuple[str, int, Any]]) -> Any:
    """Change the structure of a file; strings that mean more than themselves are left alone."""
    value = copy.deepcopy(value)
    for kind, number, item in steps:
        places = [(box, key) for box, key in find_places(value) if key not in MEANT]
        if not places:
            return value
        box, key = places[number % len(places)]
        if kind == "replace":
            box[key] = copy.deepcopy(item)
        elif kind == "delete":
            del box[key]
        elif isinstance(box, dict):
            box[["zzz", "x-a", "1 2", "secret", "priority"][number % 5]] = (
                box.pop(key) if kind == "rename" else copy.deepcopy(item)
            )
    return value


@settings(max_examples=500, deadline=1000)
@given(st.sampled_from(VALID), STEPS)
def test_mutated_files_are_judged_alike(value: Any, steps: list[tuple[str, int, Any]]) -> None:
    """Whatever is deleted, renamed, added or of another type."""
    mutated = mutate(value, steps)

    assert is_sound_to_the_reader(mutated) == EDITOR.is_valid(mutated), mutated
