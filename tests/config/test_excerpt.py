"""Issues as an editor would show them."""

import pytest

from gateway.config.excerpt import WINDOW, render_issue, render_issues
from gateway.errors import Issue


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


def test_a_long_line_is_a_window_around_the_place() -> None:
    """What is left out is shown to be left out."""
    issue = Issue(file="f", line=2, column=501, path="", found="x", wanted="y")

    excerpt = render_issue(issue, {"f": b"a\n" + b"-" * 500 + b"!" + b"-" * 500}).splitlines()

    assert f"    2 | …{'-' * 50}!{'-' * (WINDOW - 51)}…" == excerpt[1]
    assert "!" == excerpt[1][excerpt[2].index("^")]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        pytest.param(b"", 1, id="an empty file"),
        pytest.param(b"a\n\nb", 2, id="an empty line"),
        pytest.param(b"a", 7, id="beyond the end"),
        pytest.param(None, 1, id="a file that was not read"),
    ],
)
def test_where_there_is_nothing_to_show_the_sentence_stands_alone(data: bytes | None, line: int) -> None:
    """No empty excerpt, no caret under nothing."""
    issue = Issue(file="f", line=line, column=1, path="", found="x", wanted="y")

    assert f"f:{line}:1: found x, wanted y" == render_issue(issue, {} if data is None else {"f": data})


@pytest.mark.parametrize(
    "data", [b"a\r\nb\r\n", b"a\rb\r", b"\xef\xbb\xbfa\nb\n"], ids=["CR LF", "CR", "byte order mark"]
)
def test_lines_are_those_of_the_reader(data: bytes) -> None:
    """Whatever ends them."""
    issue = Issue(file="f", line=2, column=1, path="", found="x", wanted="y")

    assert ["    2 | b", "        ^"] == render_issue(issue, {"f": data}).splitlines()[1:]


def test_a_terminal_gets_nothing_that_moves_its_cursor() -> None:
    """Nor what turns a line around, nor bytes that are not UTF-8."""
    issue = Issue(file="f", line=1, column=1, path="", found="x", wanted="y")

    excerpt = render_issue(issue, {"f": b"a\x1b[2J\xe2\x80\xaeb\xff"})

    assert "    1 | a?[2J?b\ufffd" == excerpt.splitlines()[1]


def test_issues_are_set_apart() -> None:
    """By a blank line."""
    issues = [Issue(file="f", line=line, column=1, path="", found="x", wanted="y") for line in (1, 2)]

    excerpts = render_issues(issues, {"f": b"a\nb"})

    assert (
        "f:1:1: found x, wanted y\n    1 | a\n        ^\n\nf:2:1: found x, wanted y\n    2 | b\n        ^" == excerpts
    )
