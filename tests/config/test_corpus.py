"""One mistake per file, the exact sentence beside it; and files that are sound, with what they declare."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from gateway.catalog.deployment import Deployment
from gateway.config.editor_schema import write_editor_schema
from gateway.errors import ConfigError
from gateway.loading import compile_sources

DATA = Path(__file__).parents[1] / "data"
INVALID = sorted((DATA / "invalid").glob("*.yaml"))
VALID = sorted((DATA / "valid").glob("*.yaml"))
REDIS = Deployment(visibility_timeout_s=3600)
EDITOR = jsonschema_rs.Draft202012Validator(write_editor_schema(), pattern_options=jsonschema_rs.FancyRegexOptions())
BEYOND_STRUCTURE = {
    "a look-alike, a reserved word or a clash": ("batch", "self", "equal_but_for_case", "_twice"),
    "what keys say of each other": ("soft_limit", "limit_beyond", "keep_s_too_short"),
    "what a schema means": (
        "unknown_keyword", "older_draft", "nullable", "format", "pattern", "look_ahead", "back_reference", "ref_to_",
        "another_draft", "default_",
    ),
    "rules and examples": ("rule_that", "rule_over", "rule_blames", "example_that"),
}  # fmt: skip
"""Mistakes that an editor's schema cannot see, by a part of their file's name."""


def test_the_corpus_is_large() -> None:
    """At least sixty mistakes."""
    assert len(INVALID) >= 60


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_each_mistake_is_told_in_its_own_words(path: Path) -> None:
    """Place, path, what was found, what was wanted, and the near miss."""
    with pytest.raises(ConfigError) as caught:
        compile_sources({path.name: path.read_bytes()}, REDIS)

    assert path.with_suffix(".txt").read_text() == f"{caught.value}\n"


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_sound_file_declares_what_it_says(path: Path) -> None:
    """The view of the catalog stands beside it."""
    catalog = compile_sources({path.name: path.read_bytes()}, REDIS)

    assert json.loads(path.with_suffix(".json").read_text()) == [
        {
            "task_type": each.task_type,
            "name": each.name,
            "title": each.title,
            "queue": each.queue,
            "required": each.params.json_schema["required"],
            "defaults": {
                name: schema["default"]
                for name, schema in each.params.json_schema["properties"].items()
                if "default" in schema
            },
            "keep_s": each.keep_s,
            "caller_options": sorted(each.caller_options),
        }
        for each in catalog.task_types.values()
    ]


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_the_editor_schema_takes_what_the_reader_takes(path: Path) -> None:
    """Sound files have no red lines."""
    assert [] == [error.message for error in EDITOR.iter_errors(yaml.safe_load(path.read_bytes()))]


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_the_editor_schema_refuses_what_the_reader_refuses_by_structure(path: Path) -> None:
    """What is no sound YAML, or wrong beyond structure, is not for an editor's schema to see."""
    try:
        value = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, ValueError):
        return
    sentences = path.with_suffix(".txt").read_text()
    is_yaml_level = any(word in sentences for word in ("YAML 1.1", "JSON writes", "JSON does not", "64 bits", "another base",
                        "same key again", "anchor", "alias", "merge key", "the tag", "the character U+", "not a string",
                        "levels of nesting"))  # fmt: skip
    is_beyond = any(part in path.stem for parts in BEYOND_STRUCTURE.values() for part in parts)

    assert is_yaml_level or is_beyond != (not EDITOR.is_valid(value))
