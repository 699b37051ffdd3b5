"""What issues call things: a value that was found, a type that is wanted, a near miss."""

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec import inspect

SHOWN_CHARACTERS = 60
SHOWN_CHOICES = 8
NEAR_CHARACTERS = 128
NEAR_WORK = 30_000
"""How many pairs of characters the search for one near miss may compare: a file may hold many names, and many misses."""


def show_value(value: object) -> str:
    """Name a value as a file's author sees it."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = msgspec.json.encode(value).decode() if not isinstance(value, str) or value.isprintable() else ascii(value)
    return cut(text)


def show_text(text: str, *, longest: int = SHOWN_CHARACTERS) -> str:
    """Show a piece of a file without quotes: on one line, and no longer than anybody reads."""
    piece = text[: longest + 1]
    return cut(piece if piece.isprintable() else ascii(piece)[1:-1], longest=longest)


def cut(text: str, *, longest: int = SHOWN_CHARACTERS) -> str:
    """Cut a text that is too long, and show that it is."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def show_path(path: Iterable[str | int]) -> str:
    """Join the steps of a path; what a key may hold that a line of a log may not is escaped."""
    return ".".join(show_text(str(step)) for step in path)


def show_type(hint: Any) -> str:
    """Name what a type takes."""
    return _show(inspect.type_info(hint))


def list_choices(names: Iterable[str]) -> str:
    """List names, at most a few."""
    known = sorted(names)
    shown = ", ".join(known[:SHOWN_CHOICES])
    return f"{shown}, …" if len(known) > SHOWN_CHOICES else shown


def suggest(name: str, known: Iterable[str]) -> str | None:
    """Suggest the near miss of a name, or the letter that only looks like ASCII."""
    near = find_near(name, known)
    return f"did you mean `{show_text(near)}`?" if near is not None else name_odd_character(name)


def find_near(name: str, known: Iterable[str]) -> str | None:
    """Find the near miss of a name, as far as it is found with bounded work."""
    name = name[:NEAR_CHARACTERS]
    left = NEAR_WORK
    searched: list[str] = []
    for each in known:
        left -= (len(name) + 1) * (len(each) + 1)
        if left < 0:
            break
        searched.append(each)
    return next(iter(get_close_matches(name, searched, n=1)), None)


def name_odd_character(name: str) -> str | None:
    """Name the first character that no key may have, for those that merely look right."""
    odd = next((character for character in name if not character.isascii()), None)
    if odd is None:
        return None
    return f"the {name.index(odd) + 1}. character is U+{ord(odd):04X} {unicodedata.name(odd, 'without a name')}"


def _show(info: inspect.Type) -> str:
    match info:
        case inspect.Metadata(type=inner, extra_json_schema=extra):
            title = (extra or {}).get("title")
            return title if isinstance(title, str) else _show(inner)
        case inspect.UnionType(types=types):
            return " or ".join(_show(each) for each in types if not isinstance(each, inspect.NoneType))
        case inspect.LiteralType(values=values):
            shown = [show_value(value) if not isinstance(value, str) else value for value in values]
            return shown[0] if len(shown) == 1 else f"one of {', '.join(shown)}"
        case inspect.IntType(ge=low, le=high):
            return "an integer" if low is None else f"an integer from {low} to {high}"
        case inspect.FloatType(ge=low, gt=above, le=high):
            start = f"from {low}" if low is not None else f"above {above}" if above is not None else ""
            return f"a number {start} to {high}".replace(".0", "") if start and high is not None else "a number"
        case inspect.DateTimeType():
            return "a moment with its UTC offset, as 2026-01-31T12:00:00Z"
        case inspect.StrType(max_length=longest):
            return "a string" if longest is None else f"a string of 1 to {longest} characters"
        case inspect.VarTupleType():
            return "a list"
        case inspect.BoolType():
            return "true or false"
        case _:
            return "a mapping"
