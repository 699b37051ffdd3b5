"""Issues as an editor would show them: the line, and a caret under the place.

What comes in: issues, and the content of the files that they blame. What goes out: text. Pure.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from gateway.config.text import split_lines
from gateway.errors import Issue

WINDOW = 100
"""Widest excerpt of a line, in characters."""
_TAB = "    "


def render_issue(issue: Issue, sources: Mapping[str, bytes]) -> str:
    """Render an issue with its line; without one when there is no such line to show."""
    return _render(issue, _split(sources.get(issue.file, b"")))


def render_issues(issues: Iterable[Issue], sources: Mapping[str, bytes]) -> str:
    """Render issues, a blank line between them."""
    lines = {file: _split(data) for file, data in sources.items()}
    return "\n\n".join(_render(issue, lines.get(issue.file, [])) for issue in issues)


def _split(data: bytes) -> list[str]:
    return split_lines(data.decode("utf-8-sig", errors="replace"))


def _render(issue: Issue, lines: Sequence[str]) -> str:
    line = lines[issue.line - 1] if issue.line <= len(lines) else ""
    if not line.strip():
        return str(issue)
    start = max(0, issue.column - 1 - WINDOW // 2) if len(line) > WINDOW else 0
    end = start + WINDOW
    cut = "…" if start else ""
    before = cut + line[start : issue.column - 1]
    shown = cut + line[start:end] + ("…" if end < len(line) else "")
    gutter = f"{issue.line:>5} | "
    return "\n".join([str(issue), gutter + _flatten(shown), " " * (len(gutter) + _measure(before)) + "^"])


def _flatten(text: str) -> str:
    """Make a line safe to print: tabs of one width, and no character that moves the cursor or turns the text around."""
    return "".join(_TAB if character == "\t" else character if character.isprintable() else "?" for character in text)


def _measure(text: str) -> int:
    """Count the columns that a terminal gives to a text."""
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if character == "\t":
        return len(_TAB)
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0  # it is drawn upon the character before it
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
