"""What issues call things: a value that was found, a type that is wanted, a near miss."""

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec import inspect

SHOWN_CHARACTERS = 60
SHOWN_CHOICES = 8


def show_value(value: object) -> str:
    """Name a value as a file's author sees it."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = msgspec.json.encode(value).decode() if not isinstance(value, str) or value.isprintable() else ascii(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"


def show_path(path: Iterable[str | int]) -> str:
    """Join the steps of a path; what a key may hold that a line of a log may not is escaped."""
    return ".".join(_show_step(str(step)) for step in path)


def _show_step(step: str) -> str:
    shown = step if step.isprintable() else ascii(step)[1:-1]
    return shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[: SHOWN_CHARACTERS - 1]}…"


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
    near = get_close_matches(name[:128], list(known), n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    return name_odd_character(name)


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
