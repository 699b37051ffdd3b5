"""Every spelling of an unquoted scalar: JSON's own values, text, or a surprise."""

from typing import Any

import pytest

from gateway.config.scalars import Surprise, read_plain

BOOLEAN = "a word that YAML 1.1 reads as a boolean"
CASE = "a word that JSON writes in lower case"
OCTAL = "a number that YAML 1.1 reads as octal"
BASE = "a number in another base"
SIXTY = "what YAML 1.1 reads as a base-60 number"
DATE = "what YAML 1.1 reads as a date"
NOT_JSON = "a number that JSON does not have"
OTHERWISE = "a number that JSON writes otherwise"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("true", True), ("false", False),
        ("0", 0), ("-0", 0), ("7", 7), ("-12", -12), ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)),
        ("0.5", 0.5), ("-1.50", -1.5), ("1e3", 1000.0), ("1E-3", 0.001), ("1.5e+2", 150.0), ("1e-999", 0.0),
    ],
)  # fmt: skip
def test_json_values_are_what_json_says(text: str, value: Any) -> None:
    """Of the same type, too: one is not true, and not 1.0."""
    read = read_plain(text)

    assert (value, type(value)) == (read, type(read))


@pytest.mark.parametrize(
    "text",
    [
        "y", "n", "Y", "nope", "yesterday", "one", "offer", "nothing", "truely", "a", "1h", "10s", "1.2.3", "127.0.0.1",
        "2026-01", "2026-1-1-1", "1:x", "12:", ":12", "00:00:00x", "0xZZ", "0b2", "0o8", "0x", "e3", "1e", "-", "+",
        ".", "..", "...", "-.", "1-2", "1,000", "$1", "1 000", "é", "日本", "inf", "nan", "Infinity", "NaN", "==", "a=b", "<", "<<<", "<<a", "c:d",
        "١٢٣", "１２", "1\u00a0", "_1", "_",
    ],
)  # fmt: skip
def test_text_stays_text(text: str) -> None:
    """What no reader of YAML takes for anything else needs no quotes."""
    assert text == read_plain(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        *((text, BOOLEAN) for text in ("yes", "no", "on", "off", "Yes", "NO", "On", "OFF", "oN")),
        *((text, CASE) for text in ("True", "FALSE", "Null", "NULL", "nUll")),
        *((text, OCTAL) for text in ("012", "00", "-07", "+0777", "0_7", "0_")),
        *((text, BASE) for text in ("0x1F", "0xff", "-0x1", "0b101", "0o17", "0x_1")),
        *((text, SIXTY) for text in ("1:30", "22:22", "1:30:59", "-1:30", "1:30.5", "0:0", "190:20:30")),
        *((text, DATE) for text in ("2026-01-31", "2026-1-1", "2026-01-31T10:00:00Z", "2026-01-31 10:00:00.5 +1",
                                    "2026-01-31t10:00:00")),
        *((text, NOT_JSON) for text in (".inf", "-.inf", "+.Inf", ".INF", ".nan", ".NaN", ".NAN")),
        *((text, OTHERWISE) for text in ("+1", ".5", "-.5", "1.", "08", "09.5", "1_000", "+1.5", "1.e3", ".5e3", "0.1_0")),
        ("=", "YAML 1.1's value key"),
        ("<<", "YAML 1.1's merge key"),
        ("9223372036854775808", "an integer beyond 64 bits"),
        ("-9223372036854775809", "an integer beyond 64 bits"),
        ("1e400", "a number beyond 64 bits"),
        ("-1.5e999", "a number beyond 64 bits"),
    ],
)  # fmt: skip
def test_a_surprise_is_named(text: str, what: str) -> None:
    """With what was written."""
    read = read_plain(text)

    assert isinstance(read, Surprise)
    assert f"{text}, {what}" == read.found


def test_a_long_surprise_is_cut() -> None:
    """A log has lines of a length that people read."""
    read = read_plain("1" * 5000)

    assert isinstance(read, Surprise)
    assert f"{'1' * 39}…, an integer beyond 64 bits" == read.found
