"""Plain YAML scalars, read as JSON reads them; what YAML 1.1 would turn into something else is refused.

What comes in: the text of an unquoted scalar. What goes out: a JSON value, or the reason why it is no such thing.
Source: YAML 1.1 types (bool, int with bases and sexagesimals, timestamp, merge) against RFC 8259 literals.
"""

import math
import re
from typing import Any, NamedTuple

SHOWN_CHARACTERS = 40
INT64 = range(-(2**63), 2**63)
_LITERALS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_SURPRISES = (
    (re.compile(r"(?i:null|true|false)"), "a word that JSON writes in lower case", "the word in lower case, or a quoted string"),
    (re.compile(r"(?i:yes|no|on|off)"), "a word that YAML 1.1 reads as a boolean", "a JSON value, or a quoted string"),
    (re.compile(r"[-+]?0[0-7_]+"), "a number that YAML 1.1 reads as octal", "a decimal number, or a quoted string"),
    (re.compile(r"[-+]?0(x[0-9a-fA-F_]+|o[0-7_]+|b[01_]+)"), "a number in another base",
     "a decimal number, or a quoted string"),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"), "what YAML 1.1 reads as a base-60 number",
     "one number, or a quoted string"),
    (re.compile(r"\d{4}-\d{1,2}-\d{1,2}([Tt ].*)?"), "what YAML 1.1 reads as a date", "a quoted string"),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), "a number that JSON does not have",
     "a finite number, or a quoted string"),
    (re.compile(r"[-+]?(\.[0-9][0-9_]*|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?"), "a number that JSON writes otherwise",
     "one without `+`, `_` or a leading zero, with digits around its point; or a quoted string"),
    (re.compile(r"="), "YAML 1.1's value key", "a quoted string"),
    (re.compile(r"<<"), "YAML 1.1's merge key", "a quoted string"),
)  # fmt: skip
"""How each is spelled, what to say that it is, and what is wanted instead."""


class Surprise(NamedTuple):
    """Why a plain scalar is not taken."""

    found: str
    wanted: str


def read_plain(text: str) -> Any:
    """Read an unquoted scalar: a JSON value, a string, or a `Surprise`."""
    if text in _LITERALS:
        return _LITERALS[text]
    if _NUMBER.fullmatch(text):
        return _read_number(text)
    for pattern, what, wanted in _SURPRISES:
        if pattern.fullmatch(text):
            return Surprise(found=f"{_cut(text)}, {what}", wanted=wanted)
    return text


def _read_number(text: str) -> Any:
    if _INTEGER.fullmatch(text):
        # Counted before it is converted: Python refuses numbers of thousands of digits with an error of its own.
        if len(text) > len(str(INT64.start)) or int(text) not in INT64:
            return Surprise(
                found=f"{_cut(text)}, an integer beyond 64 bits", wanted="a smaller one, or a quoted string"
            )
        return int(text)
    number = float(text)
    if not math.isfinite(number):
        return Surprise(found=f"{_cut(text)}, a number beyond 64 bits", wanted="a smaller one, or a quoted string")
    return number


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"
