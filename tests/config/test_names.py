"""Sixty names that are none: of task types, which are path segments, and of parameters, which are Celery's arguments."""

import json

import pytest

from gateway.catalog.deployment import Deployment
from gateway.errors import ConfigError
from gateway.loading import compile_sources

DEPLOYMENT = Deployment()
TASK_TYPES = [
    "", ".", "..", "...", "a.", ".a", "a..b", "a/b", "/a", "a/", "../a", "a\\b", "a b", " a", "a ", "a\tb", "a\n", "a\r\n",
    "%2e%2e", "a%2fb", "a%00", "a?b", "a#b", "a&b", "a=b", "a;b", "a:b", "a@b", "a*", "{a}", "<a>", "$a", "~a", "a|b", "a,b",
    "-a", "_a", "1a", "batch", "Batch", "BATCH", "shоp", "аdmin", "ｓhop", "sh𝗈p", "shop\u200b", "sho\u00adp", "é", "shop\u0301",
    "ﬁle", "Ⅳ", "ſhop", "İ", "a" * 129,
]  # fmt: skip
PARAMETERS = ["", "self", "a-b", "a.b", "1a", "_a", "a b", "a\n", "nаme", "a" * 65, "__class__", "*args", "**kw"]


@pytest.mark.parametrize("name", TASK_TYPES)
def test_no_route_is_made_of_a_doubtful_name(name: str) -> None:
    """Refused when the file is read, at its own place, in one printable line."""
    with pytest.raises(ConfigError) as caught:
        compile_sources(
            {"t": f"version: 1\ntasks:\n  {json.dumps(name, ensure_ascii=False)}: {{}}\n".encode()}, DEPLOYMENT
        )

    assert [(3, 3)] == [(issue.line, issue.column) for issue in caught.value.issues]
    assert str(caught.value).replace("\n", "").isprintable()
    assert 1 == len(str(caught.value).splitlines())


@pytest.mark.parametrize("name", PARAMETERS)
def test_no_argument_is_made_of_a_doubtful_name(name: str) -> None:
    """Nor one that Celery uses itself."""
    text = f"version: 1\ntasks:\n  a:\n    parameters:\n      {json.dumps(name, ensure_ascii=False)}: {{}}\n"

    with pytest.raises(ConfigError) as caught:
        compile_sources({"t": text.encode()}, DEPLOYMENT)

    assert [(5, 7)] == [(issue.line, issue.column) for issue in caught.value.issues]


@pytest.mark.parametrize("name", ["stats", "tasks", "launch", "types", "history", "a", "A-b_c.D-1", "x" * 128, "retry"])
def test_words_of_other_routes_are_free(name: str) -> None:
    """A task type stands below `/tasks/launch/`, where only `batch` is taken."""
    assert name in compile_sources({"t": f"version: 1\ntasks: {{{name}: {{}}}}\n".encode()}, DEPLOYMENT).task_types
