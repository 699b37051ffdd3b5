"""The door: JSON that a worker will see exactly as it was sent, or none at all.

What comes in: the bytes of a body. What goes out: plain data. What parsers disagree on, or what Celery's own reader
would turn into something else, is refused. The accepted path is one msgspec decode and a few passes in C.
Source: RFC 8259, section 4 (duplicate names) and 9 (limits); kombu/utils/json.py::object_hook.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.errors import Fault, MalformedBodyError, RefusedParamsError

MAX_DEPTH = 64
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_ENVELOPE = {"__type__", "__value__"}
_LONG_DIGITS = b"0" * 19
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_DECODE = msgspec.json.Decoder().decode
_ENCODE = msgspec.json.Encoder().encode


_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_NO_SEPARATORS = bytes(byte for byte in range(256) if byte not in b",[{")
_NO_MARKS = bytes(byte for byte in range(256) if byte not in b'[]{}"')


def parse_body(raw: bytes) -> Any:
    """Parse one body.

    Raises: MalformedBodyError for anything but unambiguous JSON; RefusedParamsError for Kombu's own envelope.
    """
    objects = raw.count(b"{")
    # Counting every bracket is enough to prove most bodies shallow; only the rest are scanned.
    if objects + raw.count(b"[") > MAX_DEPTH:
        _check_depth(raw)
    value = _decode(raw)
    if not _is_proven_single(value, raw, objects=objects):
        _check_duplicates(raw)
    # `in` asks of bytes first whether they are a number, and that costs several times what the search does.
    if raw.translate(_ZEROS).find(_LONG_DIGITS) >= 0:
        _check_numbers(value)
    if raw.find(b"__") >= 0 or raw.find(b"\\u") >= 0:
        _refuse_envelopes(value)
    return value


def check_count(raw: bytes, *, most: int) -> None:
    """Bound how many values a body holds; what is cheap to read may be dear to judge.

    Raises: MalformedBodyError.
    """
    if len(raw) < most:
        return
    # A comma or an opening bracket stands before every value but the first; more of these may stand in strings.
    marks = raw.count(b",") + raw.count(b"[") + raw.count(b"{")
    if marks >= most and len(_STRING.sub(b"", raw).translate(None, _NO_SEPARATORS)) >= most:
        raise MalformedBodyError(f"the body holds more than {most} values")


def _decode(raw: bytes) -> Any:
    try:
        return _DECODE(raw)
    except UnicodeDecodeError as error:
        raise MalformedBodyError(f"the body is not UTF-8 at byte {error.start}") from error
    except msgspec.DecodeError as error:
        if not raw.strip():
            raise MalformedBodyError("the body is empty; send JSON") from error
        raise MalformedBodyError(f"the body is not JSON: {_explain(error)}") from error


def _explain(error: msgspec.DecodeError) -> str:
    words = str(error)
    return "a number beyond 64 bits" if words.startswith("Number out of range") else words


def _check_depth(raw: bytes) -> None:
    """Take away innermost pairs, level by level: what is left after as many levels as are allowed is too deep."""
    brackets = left = _list_brackets(raw)
    for _ in range(MAX_DEPTH):
        left = left.replace(b"[]", b"").replace(b"{}", b"")
        if not left:
            return
    # What is left may also be brackets that do not match, which the reader of JSON says better.
    if _measure_depth(brackets) > MAX_DEPTH:
        raise MalformedBodyError(f"the body is nested deeper than {MAX_DEPTH} levels")


def _list_brackets(raw: bytes) -> bytes:
    """Return the brackets outside of strings."""
    # Where no string holds a bracket or an escape, its quotes stand side by side, and none is left without such pairs.
    left = raw.translate(None, _NO_MARKS).replace(b'""', b"")
    if b'"' not in left and b"\\" not in raw:
        return left
    return _STRING.sub(b"", raw).translate(None, _NO_BRACKETS)


def _measure_depth(brackets: bytes) -> int:
    depth = deepest = 0
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _is_proven_single(value: Any, raw: bytes, *, objects: int) -> bool:
    """Prove cheaply, if possible, that no key came twice in one object.

    Every pair has a colon outside of strings, and a decoder keeps one pair of two: as many colons in what is written
    back as in what came prove it, where no colon was escaped.
    """
    colons = raw.count(b":")
    if objects == 1 and type(value) is dict:
        return len(value) == colons
    return has_keys_once(_ENCODE(value), raw) or _count_pairs(value) == colons


def has_keys_once(written: bytes, raw: bytes) -> bool:
    """Tell for certain that no key came twice, from a value written back; False may also mean that it is not known."""
    return raw.find(b"\\") < 0 and written.count(b":") == raw.count(b":")


def _count_pairs(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_count_pairs(item) for item in value.values() if type(item) in _COLLECTIONS)
    if isinstance(value, list):
        return sum(_count_pairs(item) for item in value if type(item) in _COLLECTIONS)
    return 0


_COLLECTIONS = frozenset({dict, list})


def _check_duplicates(raw: bytes) -> None:
    """Parse once more with a reader that shows every pair.

    Raises: MalformedBodyError.
    """

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(pairs)
        if len(built) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise MalformedBodyError(f"the body has the key {twice[:64]!r} twice in one object")
        return built

    json.loads(raw, object_pairs_hook=build, parse_int=len)


def _check_numbers(value: Any) -> None:
    for _, each in _walk(value, ""):
        if type(each) is int and not INT64_MIN <= each <= INT64_MAX:
            raise MalformedBodyError("the body has an integer beyond 64 bits")


def _refuse_envelopes(value: Any) -> None:
    faults = tuple(
        Fault(
            pointer=pointer,
            code="reserved_object",
            detail="an object of just `__type__` and `__value__` is Kombu's own and would reach the worker changed",
        )
        for pointer, each in _walk(value, "")
        if type(each) is dict and each.keys() == _ENVELOPE
    )
    if faults:
        raise RefusedParamsError(faults)


def _walk(value: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    yield pointer, value
    if type(value) is dict:
        for key, item in value.items():
            yield from _walk(item, f"{pointer}/{escape(key)}")
    elif type(value) is list:
        for index, item in enumerate(value):
            yield from _walk(item, f"{pointer}/{index}")


def escape(step: str | int) -> str:
    """Write one step of a JSON Pointer (RFC 6901)."""
    return str(step).replace("~", "~0").replace("/", "~1")
