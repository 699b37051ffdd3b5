"""Hostile patterns and bodies: linear time, bounded memory, an answer every time."""

import time
from contextlib import suppress

import psutil
import pytest

from gateway.config import Parameter
from gateway.errors import MalformedBodyError, RefusedParamsError
from gateway.schema import compile_parameters, parse_body

TEXT_CHARACTERS = 65_536
REDOS = [
    "(a+)+$", "([a-zA-Z]+)*$", "(a|aa)+$", "(a|a?)+$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y", "(a*)*b",
    r"^(\d+)*$", r"^\s*(\S+\s*)+$", r"(\w+\s?)*$", r"^(?:a?){30}a{30}$", r"^([\w.-]+)+@example$", r"(?:(?:a+)b?)+c",
    r"^(a|b|ab)*c$", r"((a{0,5}){0,5}){0,5}!$",
]  # fmt: skip
"""Patterns that are exponential or polynomial where a regex engine goes back."""


@pytest.mark.parametrize("pattern", REDOS)
@pytest.mark.parametrize("unit", ["a", "ab", "x", "1", " ", "é"])
def test_no_pattern_goes_back(pattern: str, unit: str) -> None:
    """64 KiB of adversarial text take no longer for a hostile pattern than for a harmless one, but for a factor."""
    text = unit * (TEXT_CHARACTERS // len(unit)) + "!"
    params, issues = compile_parameters({"value": Parameter(schema={"pattern": pattern})}, named={}, type_name="redos")

    if params is None:
        assert issues
        return
    began = time.process_time()
    with suppress(RefusedParamsError):
        params.accept({"value": text})
    # Twice through the text, with room for a busy machine: going back would take hours.
    assert time.process_time() - began < 1


def test_patterns_that_would_grow_beyond_bounds_are_refused() -> None:
    """A short pattern may stand for a huge automaton; compiling it has a bound too."""
    began = time.process_time()

    params, issues = compile_parameters(
        {"value": Parameter(schema={"pattern": "((((a{1,99}){1,99}){1,99}){1,99}"})}, named={}, type_name="huge"
    )
    nested, more = compile_parameters(
        {"value": Parameter(schema={"pattern": "(((a{1,99}){1,99}){1,99}){1,99}"})}, named={}, type_name="huge"
    )

    assert (None, None) == (params, nested)
    assert issues
    assert more
    assert time.process_time() - began < 1


def test_no_depth_takes_memory() -> None:
    """Bodies nested from one level to a hundred thousand leave the process as it was."""
    process = psutil.Process()
    parse_body(b"[]")
    before = process.memory_info().rss

    for depth in (1, 10, 63, 64, 65, 100, 1000, 10_000, 100_000, 500_000):
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
            with suppress(MalformedBodyError):
                parse_body(opening * depth + b"1" + closing * depth)

    assert process.memory_info().rss - before < 50 * 2**20
