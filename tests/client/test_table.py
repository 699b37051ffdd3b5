"""Text on a terminal: cleaned, cut, aligned."""

import pytest

from gateway.client.table import Paper, clean, cut, flatten, measure, write_facts, write_table

HEAD = ("STATUS", "WHAT", "ID")
ROWS = [("SUCCESS", "a long description of it", "0123456789"), ("PENDING", "short", "x")]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("\x07\x9b2J", "\ufffd\ufffd2J"),
        ("a\u202eb", "a\ufffdb"),
    ],
)
def test_nothing_that_a_terminal_obeys_is_left(text: str, cleaned: str) -> None:
    """A worker's message must not move the cursor, nor turn the text around."""
    assert cleaned == clean(text)


def test_a_cell_is_one_line() -> None:
    """Whatever it held."""
    assert "a b c" == flatten(" a\n\tb\r\nc ")


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("é", 1), ("e\u0301", 1), ("日本", 4), ("a\u200bb", 2)])
def test_columns_are_counted_as_a_terminal_does(text: str, columns: int) -> None:
    """Wide letters take two, accents none."""
    assert columns == measure(text)


@pytest.mark.parametrize(
    ("text", "width", "kept"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("日本語", 5, "日本…"), ("日本語", 4, "日…"), ("ab", 1, "…")],
)
def test_what_is_cut_shows_that_it_is(text: str, width: int, kept: str) -> None:
    """And is never wider than was allowed."""
    assert kept == cut(text, width)


def test_a_table_in_a_file_is_whole() -> None:
    """Aligned, without trailing blanks and colours."""
    assert [
        "STATUS   WHAT                      ID",
        "SUCCESS  a long description of it  0123456789",
        "PENDING  short                     x",
    ] == write_table(ROWS, head=HEAD, fixed=(0, 2), paper=Paper())


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (
            35,
            [
                "STATUS   WHAT            ID",
                "SUCCESS  a long descri…  0123456789",
                "PENDING  short           x",
            ],
        ),
        (
            24,
            [
                "STATUS   WHAT      ID",
                "SUCCESS  a long …  0123…",
                "PENDING  short     x",
            ],
        ),
    ],
)
def test_a_table_fits_the_terminal(width: int, lines: list[str]) -> None:
    """What may be cut is cut first; below that the lines are."""
    assert lines == write_table(ROWS, head=HEAD, fixed=(0, 2), paper=Paper(width=width))


def test_a_table_of_fixed_columns_is_cut_as_a_whole() -> None:
    """Where there is no other way."""
    assert ["A", "012…"] == write_table([("0123456",)], head=("A",), fixed=(0,), paper=Paper(width=4))


def test_only_the_words_of_a_status_are_coloured() -> None:
    """On a terminal that takes colours."""
    lines = write_table(
        [("FAILURE", "FAILURE of x", "1")], head=HEAD, fixed=(), paper=Paper(width=80, is_coloured=True)
    )

    assert "\x1b[31mFAILURE\x1b[0m  FAILURE of x  1" == lines[1]


def test_facts_are_aligned() -> None:
    """Those that are not known are left out."""
    assert ["  a    1", "  bcd  2 3"] == write_facts({"a": "1", "b": None, "bcd": "2\n3"}, paper=Paper())
    assert [] == write_facts({}, paper=Paper())
