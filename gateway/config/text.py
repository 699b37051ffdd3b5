"""Bytes to text: UTF-8, and no character that an editor does not show.

What comes in: the content of a file. What goes out: text that the YAML parser can read, and the place of what it had
to do without.
"""

import re
import unicodedata
from itertools import islice
from typing import NamedTuple

MAX_BYTES = 1_048_576
MAX_FLAWS = 100
MAX_DIRECTIVES = 100
"""The parser compares each %TAG directive with all those before it."""
HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, and those that turn text around; nobody who reads the file would see them."""
_RAW = re.compile(f"{HIDDEN.pattern[:-1]}\x85\u2028\u2029\ufeff\ufffe\uffff]")
"""These too, unless they are escaped: line breaks that no editor counts, and what YAML does not allow."""
_BREAK = re.compile("\r\n|[\r\n]")
_DIRECTIVE = re.compile(r"(?:\A|(?<=[\r\n]))%TAG\b")
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Flaw(NamedTuple):
    """What cannot be read, at a line and a column that count from 1."""

    line: int
    column: int
    found: str
    wanted: str
    hint: str | None = None


def decode(data: bytes) -> tuple[str | None, list[Flaw]]:
    """Decode a file: its text, None when nothing can be read on from, and what is wrong with its characters."""
    if len(data) > MAX_BYTES:
        return None, [Flaw(1, 1, "more than 1 MiB", "a smaller file, or a folder of several")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _locate(data[: error.start].decode("utf-8-sig", errors="replace"))
        hint = "it looks like UTF-16" if data.startswith(_BYTE_ORDER_MARKS) else None
        found = f"the byte 0x{data[error.start]:02X}, which is not UTF-8 here"
        return None, [Flaw(line, column, found, "a file saved as UTF-8", hint)]
    if "\0" in text:
        line, column = _locate(text[: text.index("\0")])
        return None, [Flaw(line, column, "a NUL", "text", "it looks like UTF-16, or like no text at all")]
    if not _RAW.search(text):
        return text, []
    flaws = (
        Flaw(number, match.start() + 1, name_hidden(match[0]), "characters that an editor shows")
        for number, line in enumerate(split_lines(text), start=1)
        if (match := _RAW.search(line)) is not None
    )
    return _RAW.sub("", text), list(islice(flaws, MAX_FLAWS))


def find_excess(text: str) -> tuple[int, int] | None:
    """Find the line and column of the first %TAG directive that is one too many."""
    excess = next(islice(_DIRECTIVE.finditer(text), MAX_DIRECTIVES, None), None)
    return None if excess is None else _locate(text[: excess.start()])


def split_lines(text: str) -> list[str]:
    """Split a text where the YAML parser counts a line, and most editors do."""
    return _BREAK.split(text)


def name_hidden(character: str) -> str:
    """Name a character that cannot be shown."""
    nameless = "a control character" if unicodedata.category(character) == "Cc" else "which has no name"
    return f"the character U+{ord(character):04X}, {unicodedata.name(character, nameless)}"


def _locate(before: str) -> tuple[int, int]:
    lines = split_lines(before)
    return len(lines), len(lines[-1]) + 1
