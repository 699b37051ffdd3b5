"""One mistake per file, the exact sentence beside it; and files that are sound, with what they declare."""

import json
from pathlib import Path

import pytest

from gateway.catalog.deployment import Deployment
from gateway.errors import ConfigError
from gateway.loading import compile_sources

DATA = Path(__file__).parents[1] / "data"
INVALID = sorted((DATA / "invalid").glob("*.yaml"))
VALID = sorted((DATA / "valid").glob("*.yaml"))
REDIS = Deployment(visibility_timeout_s=3600)


def test_the_corpus_is_large() -> None:
    """At least two hundred and fifty mistakes."""
    assert len(INVALID) >= 250


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
            "json_schema": each.params.json_schema,
            "secret": sorted(each.params.secret_names),
            "rules": [rule.source for rule in each.rules],
            "tags": list(each.tags),
            "priority": each.priority,
            "keep_s": each.keep_s,
            "caller_options": sorted(each.caller_options),
        }
        for each in catalog.task_types.values()
    ]
