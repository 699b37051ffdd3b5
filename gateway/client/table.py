"""Text that fits a terminal: cleaned, cut, aligned, and coloured where that is wanted.

What comes in: text of anybody. What goes out: lines without a character that could move the cursor.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import click
from msgspec import Struct

from gateway.config.text import HIDDEN

GAP = "  "
_LEAST = 8
"""No column is cut narrower while another one is wider."""
COLOURS = {
    "SUCCESS": "green",
    "FAILURE": "red",
    "REVOKED": "yellow",
    "UNKNOWN": "magenta",
    "STARTED": "cyan",
    "PROGRESS": "cyan",
    "RETRY": "cyan",
    "available": "green",
    "no_worker": "red",
    "no_consumer": "red",
    "undeclared": "yellow",
    "uneven": "red",
}
"""Words that are coloured wherever they are a cell of their own."""


class Paper(Struct, frozen=True, kw_only=True):
    """What is written on."""

    width: int | None = None
    """Columns of the terminal; None where nothing must be cut, as in a file."""
    is_coloured: bool = False

    def paint(self, text: str) -> str:
        """Colour a word that has a colour."""
        colour = COLOURS.get(text.strip())
        return click.style(text, fg=colour) if self.is_coloured and colour else text

    def stress(self, text: str) -> str:
        """Make a heading stand out."""
        return click.style(text, bold=True) if self.is_coloured else text

    def fit(self, line: str) -> str:
        """Cut a line without colours to the width."""
        return line if self.width is None else cut(line, self.width)


def clean(text: str) -> str:
    """Replace what a terminal would obey rather than show."""
    return HIDDEN.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n")).replace("\r", "\n")


def flatten(text: str) -> str:
    """Clean a text, and put it on one line."""
    return " ".join(clean(text).split())


def measure(text: str) -> int:
    """Count the columns that a text takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_measure_one, text))


def cut(text: str, width: int) -> str:
    """Cut a text that is wider, and show that it is."""
    if measure(text) <= width:
        return text
    kept = text[: max(width - 1, 0)]
    while measure(kept) >= width > 0:
        kept = kept[:-1]
    return f"{kept}…"


def write_table(rows: Iterable[Sequence[str]], *, head: Sequence[str], fixed: Iterable[int], paper: Paper) -> list[str]:
    """Write rows beneath their heads, aligned; where the terminal is too narrow, all but the `fixed` columns are cut."""
    cells = [[flatten(cell) for cell in row] for row in rows]
    widths = [max(measure(row[index]) for row in [head, *cells]) for index in range(len(head))]
    if paper.width is not None:
        widths = _shrink(widths, fixed=frozenset(fixed), width=paper.width - len(GAP) * (len(head) - 1))
    lines = [GAP.join(_pad(cell, width) for cell, width in zip(head, widths, strict=True)).rstrip()]
    lines[0] = paper.stress(paper.fit(lines[0]))
    for row in cells:
        padded = [_pad(cell, width) for cell, width in zip(row, widths, strict=True)]
        whole = GAP.join(padded).rstrip()
        is_whole = paper.width is None or measure(whole) <= paper.width
        lines.append(GAP.join(map(paper.paint, padded)).rstrip() if is_whole else paper.fit(whole))
    return lines


def write_facts(facts: Mapping[str, str | None], *, paper: Paper) -> list[str]:
    """Write names and what they are, one a line, aligned; those that are None are left out."""
    known = {name: flatten(value) for name, value in facts.items() if value is not None}
    width = max(map(measure, known), default=0)
    return [paper.fit(f"{GAP}{_pad(name, width)}{GAP}{value}".rstrip()) for name, value in known.items()]


def _shrink(widths: list[int], *, fixed: frozenset[int], width: int) -> list[int]:
    """Take from the widest column that may be cut, until all fit or none can give."""
    widths = [each if index in fixed else min(each, max(width, _LEAST)) for index, each in enumerate(widths)]
    while sum(widths) > width:
        index = max(
            (each for each in range(len(widths)) if each not in fixed), key=lambda each: widths[each], default=-1
        )
        if index < 0 or widths[index] <= _LEAST:
            break
        widths[index] -= 1
    return widths


def _pad(cell: str, width: int) -> str:
    cell = cut(cell, width)
    return cell + " " * (width - measure(cell))


def _measure_one(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
