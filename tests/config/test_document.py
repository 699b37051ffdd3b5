"""Strict YAML: places, limits, and files that were made to do harm."""

import subprocess
import sys
import threading
import time

import pytest

from gateway.config import parse
from gateway.config.document import MAX_DEPTH, MAX_ISSUES, MAX_NODES, Document
from gateway.config.text import MAX_BYTES
from tests.harness import ROOT

MEBIBYTE = 1_048_576
LIMIT_S = 1 if sys.gettrace() is None else 10
"""Coverage takes most of the time when it is measured."""
BOMBS = {
    "brackets": b"[" * 100_000,
    "braces": b"{a: " * 100_000,
    "dashes": b"- " * 100_000,
    "question marks": b"? " * 100_000,
    "indentation": b"".join(b" " * n + b"a:\n" for n in range(1400)),
    "a long list": b"a: [" + b"1," * 500_000 + b"]",
    "many keys": b"a: {" + b"".join(b"k%d: 1," % n for n in range(90_000)) + b"}",
    "one key many times": b"a: {" + b"b," * 500_000 + b"}",
    "keys in keys": b"a: {" + b"{a: b}: c," * 90_000 + b"}",
    "a long key": b"k" * 1_048_000 + b": 1",
    "a long key many times": (b"k" * 1000 + b": 1\n") * 1000,
    "a long number": b"a: " + b"9" * 1_000_000,
    "a number of ones and underscores": b"a: " + b"1_" * 500_000 + b"x",
    "a long date": b"a: 2026-01-01 " + b"0" * 1_000_000,
    "colons": b"a: " + b"1:" * 500_000 + b"x",
    "an open quote": b"a: '" + b"x" * 1_000_000,
    "an open bracket": b"a: [" + b"x " * 500_000,
    "a long block": b"a: |\n" + b" x\n" * 300_000,
    "blank lines": b"a:\n" + b"\n" * 1_000_000 + b" b",
    "comments": b"# x\n" * 250_000,
    "anchors": b"a: [" + b"".join(b"&a%d x," % n for n in range(90_000)) + b"]",
    "aliases": b"a: &a [x,x,x,x]\n" + b"".join(b"b%d: &b%d [*a,*a]\n" % (n, n) for n in range(9000)),
    "merge keys": b"a0: &a0 {k: v}\n"
    + b"".join(b"a%d: &a%d {<<: [*a%d, *a%d]}\n" % (n, n, n - 1, n - 1) for n in range(1, 9000)),
    "documents": b"--- a\n" * 100_000,
    "directives": b"%TAG !a! b\n" * 90_000 + b"--- a",
    "tags": b"a: [" + b"!!python/name:os.system x," * 30_000 + b"]",
    "control characters": b"\x07\n" * 500_000,
    "more than a mebibyte": b"x" * 2 * MEBIBYTE,
    "NUL": b"\x00" * 1_000_000,
    "bytes that are not UTF-8": b"a\n" * 500_000 + b"\xff",
    "another version": b"%YAML 9.9\n---\na: 1",
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_goes_off_within_a_second_and_says_why(data: bytes) -> None:
    """It is an issue, or several, but never more than anybody would read."""
    began = time.process_time()

    document, issues = parse(data, file="bomb.yaml")

    assert time.process_time() - began < LIMIT_S
    assert issues or document is None or document.value
    assert len(issues) <= MAX_ISSUES + 1
    assert all(len(str(issue)) < 600 for issue in issues)


def test_all_bombs_together_need_no_more_memory_than_a_gateway_has() -> None:
    """Less than 256 MiB beyond what the interpreter takes, one after the other in one process."""
    program = (
        "import resource, sys; sys.path[:0] = ['.', 'tests/config']; from test_document import BOMBS, parse; "
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "[parse(data, file='bomb.yaml') for data in BOMBS.values()]; "
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)"
    )

    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert int(ended.stdout) < 256 * MEBIBYTE


def test_bombs_stay_below_the_stack_of_a_small_thread() -> None:
    """Nothing recurses: a stack of 256 KiB is enough."""
    threading.stack_size(262_144)
    thread = threading.Thread(target=lambda: [parse(data, file="bomb.yaml") for data in BOMBS.values()])

    thread.start()
    threading.stack_size(0)
    thread.join(30)

    assert not thread.is_alive()


def read(text: str) -> Document:
    """Parse what must be sound."""
    document, issues = parse(text.encode(), file="f")
    assert [] == issues
    assert document is not None
    return document


def nest(levels: int) -> str:
    """Write a file of so many levels."""
    return "a: " + "[" * (levels - 1) + "]" * (levels - 1)


def test_the_deepest_value_that_is_allowed_is_read() -> None:
    """The next level is an issue."""
    _, issues = parse(nest(MAX_DEPTH + 1).encode(), file="f")

    assert read(nest(MAX_DEPTH))
    assert ["f:1:35: a.0.0.0: found more than 32 levels of nesting, wanted a flatter value"] == [*map(str, issues)]


def test_the_largest_file_that_is_allowed_is_read() -> None:
    """The next byte is an issue."""
    text = "a: b\n#" + "x" * (MAX_BYTES - 6)

    _, issues = parse(f"{text}x".encode(), file="f")

    assert {"a": "b"} == read(text).value
    assert ["f:1:1: found more than 1 MiB, wanted a smaller file, or a folder of several"] == [*map(str, issues)]


def test_too_many_values_are_one_issue() -> None:
    """At the place where reading stopped."""
    _, issues = parse(b"a:\n" + b"- 1\n" * MAX_NODES, file="f")

    wanted = "a smaller file, or a folder of several"
    assert [f"f:{MAX_NODES - 3}:3: found more than {MAX_NODES} keys and values, wanted {wanted}"] == [*map(str, issues)]


def test_a_hundred_issues_are_enough() -> None:
    """A file with more is read no further, and says so."""
    _, issues = parse(b"a:\n" + b"- no\n" * 500, file="f")

    assert MAX_ISSUES + 1 == len(issues)
    assert "f:102:3: found 100 issues before this line, wanted those mended first" == str(issues[-1])


@pytest.mark.parametrize(
    ("text", "path", "place"),
    [
        pytest.param("é: {ключ: [1, 2]}", ("é", "ключ", 1), (1, 15), id="characters, not bytes"),
        pytest.param("b:\n  - x\n", ("b", 0), (2, 5), id="item"),
        pytest.param("\ufeffa: 1", ("a",), (1, 4), id="a byte order mark counts for nothing"),
        pytest.param("# x\r\na: 1\r\nb: 2\r\n", ("b",), (3, 4), id="CR LF"),
        pytest.param("a: 1\rb: 2\r", ("b",), (2, 4), id="CR alone"),
        pytest.param("a: |\n  text\nb: 2", ("b",), (3, 4), id="after a block"),
        pytest.param("a: |\n  text\n", ("a",), (1, 4), id="a block begins at its sign"),
        pytest.param("---\na: 1\n...\n", ("a",), (2, 4), id="an explicit document"),
        pytest.param("\U0001f600: 1", ("\U0001f600",), (1, 4), id="beyond the basic plane"),
        pytest.param("? a\n: b\n", ("a",), (2, 3), id="an explicit key"),
        pytest.param('"a\\tb": 1', ("a\tb",), (1, 9), id="an escape in a key"),
        pytest.param("a:\nb: 1\n", ("a",), (1, 3), id="nothing"),
    ],
)
def test_a_value_is_found_where_it_stands(text: str, path: tuple[str | int, ...], place: tuple[int, int]) -> None:
    """Lines and columns count from one."""
    found = read(text).values[path]

    assert place == (found.line, found.column)


def test_a_key_has_a_place_of_its_own() -> None:
    """It is the place of unknown keys and of bad names."""
    document = read("é: {ключ: [1, 2]}\nb:\n  - x\n")

    assert {("é",): (1, 1), ("é", "ключ"): (1, 5), ("b",): (2, 1)} == {
        path: (place.line, place.column) for path, place in document.keys.items()
    }
    assert {"é": {"ключ": [1, 2]}, "b": ["x"]} == document.value
