"""JSON values as YAML that every reader reads alike: what could be misread is quoted."""

import json
import re
from collections.abc import Iterator
from typing import Any

from gateway.config import parse

WIDTH = 100
"""A value longer than that is written in several lines."""
_WORD = re.compile(r"\$?[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
_MISREAD = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_ODD = re.compile("[\x7f-\xa0\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]")


def write_text(text: str) -> str:
    """Write a string: as it is where no reader can take it for something else, else in double quotes."""
    if _WORD.fullmatch(text) and text.lower() not in _MISREAD:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _ODD.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def write_value(value: Any) -> str:
    """Write a value in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{write_text(key)}: {write_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(write_value(each) for each in value) + "]"
    return write_text(value) if isinstance(value, str) else json.dumps(value)


def write_entry(key: str, value: Any, *, indent: int, note: str = "") -> Iterator[str]:
    """Write a key with its value, in several lines where one would be too long; the note is a comment at the key."""
    margin, comment = " " * indent, f"  # {write_note(note)}" if note else ""
    line = f"{margin}{write_text(key)}: {write_value(value)}"
    if len(line) <= WIDTH or not isinstance(value, dict) or not value:
        yield line + comment
        return
    yield f"{margin}{write_text(key)}:{comment}"
    for inner, each in value.items():
        yield from write_entry(inner, each, indent=indent + 2)


def write_note(note: str) -> str:
    """Write a comment's text in one line of visible characters."""
    return "".join(each if each.isprintable() else " " for each in " ".join(note.split()))


def is_writable(value: Any) -> bool:
    """Tell whether the strict reader takes a value as it is."""
    try:
        document, issues = parse(f"value: {write_value(value)}".encode(), file="")
    except (UnicodeEncodeError, ValueError):
        return False
    return not issues and document is not None and document.value == {"value": value}
