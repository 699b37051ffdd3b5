"""The reader: bombs, mutations, several files, folders, and everything at once."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalog.deployment import Deployment
from gateway.config import parse, read
from gateway.config.excerpt import render_issue
from gateway.errors import ConfigError, Issue
from gateway.loading import compile_sources, load_catalog, read_sources

ROOT = Path(__file__).parents[2]
SOUND = [path.read_bytes() for path in [ROOT / "tasks.yaml", *sorted((ROOT / "tests/data/valid").glob("*.yaml"))]]
DEPLOYMENT = Deployment()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"[" * 100_000, id="brackets"),
        pytest.param(b"{a: " * 100_000, id="braces"),
        pytest.param(b"- " * 100_000, id="dashes"),
        pytest.param(b"? " * 100_000, id="question marks"),
        pytest.param(b"a: [" + b"1," * 500_000 + b"]", id="a long list"),
        pytest.param(b"a: {" + b"".join(b"k%d: 1," % n for n in range(90_000)) + b"}", id="many keys"),
        pytest.param(b"a: {" + b"b," * 500_000 + b"}", id="one key many times"),
        pytest.param(b"k" * 1_048_000 + b": 1", id="a long key"),
        pytest.param(b"a: " + b"9" * 1_000_000, id="a long number"),
        pytest.param(b"a: '" + b"x" * 1_000_000, id="an open quote"),
        pytest.param(b"a: |\n" + b" x\n" * 300_000, id="a long block"),
        pytest.param(
            b"a: &a [x,x,x,x]\n" + b"".join(b"b%d: &b%d [*a,*a]\n" % (n, n) for n in range(9000)), id="aliases"
        ),
        pytest.param(b"x" * 2_000_000, id="too large"),
        pytest.param(b"\x00" * 1_000_000, id="NUL"),
        pytest.param(b"%YAML 9.9\n---\na: 1", id="another version"),
        pytest.param(b"version: 1\ntasks: &t\n  a: *t\n", id="self reference"),
    ],
)
def test_a_hostile_file_is_refused_within_a_second(data: bytes) -> None:
    """With issues, never with another exception."""
    began = time.perf_counter()

    with pytest.raises(ConfigError):
        compile_sources({"hostile.yaml": data}, DEPLOYMENT)

    assert time.perf_counter() - began < 1


MUTATIONS = st.lists(
    st.tuples(st.sampled_from(["flip", "cut", "copy", "insert"]), st.floats(0, 1), st.integers(0, 255)),
    min_size=1,
    max_size=8,
)


def mutate(data: bytes, steps: list[tuple[str, float, int]]) -> bytes:
    """Apply mutations, each at a relative place."""
    for kind, where, byte in steps:
        at = int(where * len(data))
        if kind == "flip" and at < len(data):
            data = data[:at] + bytes([data[at] ^ (byte or 1)]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at] + data[at + byte :]
        elif kind == "copy":
            data = data[:at] + data[max(0, at - byte) : at] + data[at:]
        else:
            data = data[:at] + bytes([byte]) + data[at:]
    return data


@settings(max_examples=600, deadline=1000)
@given(st.sampled_from(SOUND), MUTATIONS)
def test_a_mutated_file_is_sound_or_has_issues(data: bytes, steps: list[tuple[str, float, int]]) -> None:
    """No other exception, whatever a byte does."""
    try:
        catalog = compile_sources({"mutated.yaml": mutate(data, steps)}, DEPLOYMENT)
    except ConfigError as error:
        assert error.issues  # noqa: PT017 - both ends are fine, a third is not
    else:
        assert catalog.digest


def test_names_are_unique_across_files() -> None:
    """Both places are named."""
    with pytest.raises(ConfigError) as caught:
        compile_sources(
            {
                "a.yaml": b"version: 1\nschemas: {s: {}}\ntasks: {x: {}}\n",
                "b.yaml": b"version: 1\nschemas: {s: {}}\ntasks: {x: {}}\n",
            },
            DEPLOYMENT,
        )

    assert [
        "b.yaml:2:11: schemas.s: found the same name again, wanted each name once; the first is at a.yaml:2:11",
        "b.yaml:3:9: tasks.x: found the same name again, wanted each name once; the first is at a.yaml:3:9",
    ] == str(caught.value).splitlines()


def test_files_share_schemas_but_not_defaults() -> None:
    """A folder is one catalog; `defaults` are of a file."""
    catalog = compile_sources(
        {
            "a.yaml": b"version: 1\nschemas: {s: {type: integer}}\ndefaults: {queue: q}\ntasks: {x: {}}\n",
            "b.yaml": b'version: 1\ntasks: {y: {parameters: {n: {$ref: "#/schemas/s"}}}}\n',
        },
        DEPLOYMENT,
    )

    assert [("x", "q"), ("y", "celery")] == [(each.task_type, each.queue) for each in catalog.task_types.values()]


def test_places_are_those_of_the_values() -> None:
    """Lines and columns count from one, columns in characters; a key has a place of its own."""
    document, issues = parse("é: {ключ: [1, 2]}\nb:\n  - x\n".encode(), file="f")

    assert document is not None
    assert [] == issues
    assert (1, 4) == (document.values["é",].line, document.values["é",].column)
    assert (1, 5) == (document.keys["é", "ключ"].line, document.keys["é", "ключ"].column)
    assert (1, 15) == (document.values["é", "ключ", 1].line, document.values["é", "ключ", 1].column)
    assert (3, 5) == (document.values["b", 0].line, document.values["b", 0].column)
    assert {"é": {"ключ": [1, 2]}, "b": ["x"]} == document.value


def test_defaults_of_a_file_give_way_to_its_entries() -> None:
    """Also to a falsy one."""
    document, _ = parse(b"version: 1\ndefaults: {priority: 5, queue: q}\ntasks: {a: {priority: 0}, b: {}}", file="f")
    assert document is not None

    config, issues = read([document])

    assert [] == issues
    assert [(0, "q"), (5, "q")] == [(spec.priority, spec.queue) for spec in config.tasks.values()]


def test_a_folder_is_read_file_by_file(tmp_path: Path) -> None:
    """Hidden files are not; links within the folder are, as a ConfigMap is made of them."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "b.yaml").write_text("version: 1\ntasks: {b: {}}\n")
    (tmp_path / "b.yaml").symlink_to("..data/b.yaml")
    (tmp_path / "a.yaml").write_text("version: 1\ntasks: {a: {}}\n")
    (tmp_path / ".hidden.yaml").write_text("nonsense")
    (tmp_path / "notes.txt").write_text("nonsense")

    assert ["a", "b"] == list(load_catalog(tmp_path, DEPLOYMENT).task_types)


def make_nothing(path: Path) -> None:
    """Make no file."""


def make_writable(path: Path) -> None:
    """Make a file that anybody may write."""
    path.write_text("version: 1")
    path.chmod(0o666)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        pytest.param(make_nothing, "found no readable file: No such file or directory, wanted a tasks.yaml", id="missing"),
        pytest.param(os.mkfifo, "found something that is not a regular file, wanted a tasks.yaml", id="pipe"),
        pytest.param(Path.mkdir, "found a folder without *.yaml files, wanted at least one", id="empty folder"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"),
                     "found something that is not a regular file, wanted a tasks.yaml", id="/dev/zero"),
        pytest.param(make_writable, "found a file that anybody may write, wanted one that only its owner may", id="writable"),
    ],
)  # fmt: skip
def test_what_is_no_plain_file_is_refused_at_once(make: object, sentence: str, tmp_path: Path) -> None:
    """It neither blocks nor fills the memory."""
    path = tmp_path / "tasks.yaml"
    make(path)  # type: ignore[operator]

    with pytest.raises(ConfigError) as caught:
        read_sources(path)

    assert str(caught.value).startswith(f"{path}:1:1: {sentence}")


@pytest.mark.parametrize(
    ("line", "column", "caret"),
    [
        pytest.param("abc: x", 6, "     ^", id="plain"),
        pytest.param("\tx", 2, "    ^", id="tab"),
        pytest.param("日本: x", 5, "      ^", id="wide"),
        pytest.param("e\u0301: x", 5, "   ^", id="combining"),
        pytest.param("a" * 300 + "!", 301, " " * 51 + "^", id="the end of a long line"),
        pytest.param("a" * 300, 1, "^", id="the start of a long line"),
        pytest.param("é\U0001f600: x", 5, "     ^", id="emoji"),
        pytest.param("❤\ufe0f: x", 5, "   ^", id="variation selector"),
        pytest.param("a\u200b: x", 5, "    ^", id="zero width, shown as a question mark"),
    ],
)
def test_the_caret_stands_under_the_place(line: str, column: int, caret: str) -> None:
    """Whatever the characters before it."""
    issue = Issue(file="f", line=1, column=column, path="p", found="x", wanted="y")

    excerpt = render_issue(issue, {"f": line.encode()}).splitlines()

    assert " " * len("    1 | ") + caret == excerpt[2]
