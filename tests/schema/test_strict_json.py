"""The door: what is let in reaches a worker unchanged, and everything doubtful is refused."""

import json
import time
from contextlib import suppress
from typing import Any

import kombu.utils.json
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedBodyError, RefusedParamsError
from gateway.schema import check_count, parse_body

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        pytest.param(b"", "the body is empty; send JSON", id="empty"),
        pytest.param(b" \n", "the body is empty; send JSON", id="blank"),
        pytest.param(b"{", "the body is not JSON", id="cut off"),
        pytest.param(b"{'a': 1}", "the body is not JSON", id="single quotes"),
        pytest.param(b"[1,]", "the body is not JSON", id="trailing comma"),
        pytest.param(b"NaN", "the body is not JSON", id="NaN"),
        pytest.param(b"[Infinity]", "the body is not JSON", id="infinity"),
        pytest.param(b"01", "the body is not JSON", id="leading zero"),
        pytest.param(b"1 2", "the body is not JSON", id="two values"),
        pytest.param(b"\xef\xbb\xbf{}", "the body is not JSON", id="byte order mark"),
        pytest.param(b'"\xff"', "the body is not UTF-8", id="not UTF-8"),
        pytest.param(b'"\xed\xa0\x80"', "the body is not UTF-8", id="raw surrogate"),
        pytest.param(b'"\\ud800"', "the body is not JSON", id="escaped lone surrogate"),
        pytest.param(b'"\\ud800\\u0041"', "the body is not JSON", id="half a pair"),
        pytest.param(b'"a\nb"', "the body is not JSON", id="raw control character"),
        pytest.param(b"1e400", "the body is not JSON: a number beyond 64 bits", id="number too large"),
        pytest.param(b"[-1e999]", "the body is not JSON: a number beyond 64 bits", id="number too small"),
        pytest.param(b"9223372036854775808", "the body has an integer beyond 64 bits", id="2^63"),
        pytest.param(b'{"a": [-9223372036854775809]}', "the body has an integer beyond 64 bits", id="-2^63 - 1"),
        pytest.param(b"1" + b"0" * 5000, "the body", id="5,000 digits"),
        pytest.param(b'{"a":1,"a":2}', "the body has the key 'a' twice in one object", id="twice"),
        pytest.param(b'{"x":[{"a":{"b":1,"b":1}}]}', "the body has the key 'b' twice in one object", id="twice, deep"),
        pytest.param(b'{"a":1,"\\u0061":2}', "the body has the key 'a' twice in one object", id="twice, escaped"),
        pytest.param(b'{"a":1,"a":2,"c":":"}', "the body has the key 'a' twice in one object", id="twice, with colons"),
        pytest.param(b"[" * 65 + b"]" * 65, "the body is nested deeper than 64 levels", id="65 levels"),
        pytest.param(b'{"a":' * 65 + b"1" + b"}" * 65, "the body is nested deeper than 64 levels", id="65 objects"),
        pytest.param(b"[" * 100_000, "the body is nested deeper than 64 levels", id="100,000 levels"),
        pytest.param(b'["]",' * 70 + b"1" + b"]" * 70, "the body is nested deeper", id="brackets in strings"),
    ],
)  # fmt: skip
def test_what_parsers_disagree_on_is_refused(raw: bytes, sentence: str) -> None:
    """One sentence each, no exception of the parser's own."""
    with pytest.raises(MalformedBodyError) as caught:
        parse_body(raw)

    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        pytest.param(b"9223372036854775807", 2**63 - 1, id="2^63 - 1"),
        pytest.param(b"-9223372036854775808", -(2**63), id="-2^63"),
        pytest.param(b"1.0", 1.0, id="float stays a float"),
        pytest.param(b'"99999999999999999999"', "99999999999999999999", id="digits in a string"),
        pytest.param(b"[" * 64 + b"]" * 64, None, id="64 levels"),
        pytest.param(b"[" + b"[]," * 500 + b"[]]", None, id="wide, not deep"),
        pytest.param(b'{"a":"b:c:d","e:f":1}', {"a": "b:c:d", "e:f": 1}, id="colons in strings"),
        pytest.param(b'{"a":"[[[[{{{{\\"]"}', {"a": '[[[[{{{{"]'}, id="brackets in strings"),
        pytest.param(b'{"":{"":1}}', {"": {"": 1}}, id="empty keys"),
        pytest.param('"\\ud83d\\ude00é\\u0000"'.encode(), "😀é\0", id="pairs, accents, NUL"),
        pytest.param(b'{"__type__":"x"}', {"__type__": "x"}, id="half an envelope"),
        pytest.param(
            b'{"__type__":1,"__value__":2,"c":3}', {"__type__": 1, "__value__": 2, "c": 3}, id="more than one"
        ),
    ],
)
def test_what_is_plain_is_let_in(raw: bytes, value: Any) -> None:
    """Unchanged, types included."""
    parsed = parse_body(raw)

    assert value is None or (value, type(value)) == (parsed, type(parsed))


@given(depth=st.integers(60, 68), texts=st.lists(st.text(alphabet='[]{}"\\a', max_size=5), min_size=2, max_size=40))
def test_depth_counts_outside_of_strings(depth: int, texts: list[str]) -> None:
    """However many brackets, quotes and escapes the strings hold."""
    value: Any = texts
    for _ in range(depth - 1):
        value = [texts[0], value, texts[1]]
    raw = json.dumps(value).encode()

    if depth <= 64:
        assert value == parse_body(raw)
    else:
        with pytest.raises(MalformedBodyError, match="nested deeper than 64 levels"):
            parse_body(raw)


@pytest.mark.parametrize("depth", [0, 1, 5, 60])
@pytest.mark.parametrize("key", ["__type__", "\\u005f_type__", "__typ\\u0065__"])
def test_kombus_envelope_is_refused_at_any_depth(depth: int, key: str) -> None:
    """However its keys are written."""
    raw = '{"a":' * depth + f'{{"{key}": "uuid", "__value__": "x"}}' + "}" * depth

    with pytest.raises(RefusedParamsError) as caught:
        parse_body(raw.encode())

    assert [("/a" * depth, "reserved_object")] == [(fault.pointer, fault.code) for fault in caught.value.faults]


@given(JSON)
def test_every_value_survives_and_reaches_the_worker_as_it_is(value: Any) -> None:
    """Through our parser, and through the one that a Celery worker uses."""
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        parsed = parse_body(text.encode())

        assert repr(value).replace("-0.0", "0.0") == repr(parsed).replace("-0.0", "0.0")
        assert repr(parsed) == repr(kombu.utils.json.loads(json.dumps(parsed)))


@given(st.binary(max_size=100))
def test_no_bytes_raise_anything_of_another_kind(raw: bytes) -> None:
    """A value, or one of our errors."""
    with suppress(MalformedBodyError, RefusedParamsError):
        json.dumps(parse_body(raw))


@given(st.text('{}[]":,\\u0019ae-+. _', max_size=60))
def test_no_near_json_raises_anything_of_another_kind(text: str) -> None:
    """Also where brackets, quotes and colons abound."""
    try:
        value = parse_body(text.encode())
    except (MalformedBodyError, RefusedParamsError):
        return
    assert value == json.loads(text)


def test_hostile_bodies_are_refused_at_once() -> None:
    """A megabyte of any bracket, quote or backslash takes no second."""
    for unit in (b"[", b"{", b'{"a":', b'"', b"\\", b'"\\', b"[[],", b'{"a":1,', b"0", b":"):
        began = time.process_time()
        with pytest.raises(MalformedBodyError):
            parse_body(unit * (1_048_576 // len(unit)))
        assert time.process_time() - began < 1, unit


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        (b"1", 1),
        (b"[1, 2, 3]", 4),
        (b'{"a": [1, 2], "b": {"c": null}}', 6),
        (b'{"text, text [": "{,,,,\\",,["}', 2),
        (b"[" + b"0," * 4999 + b"0]", 5001),
    ],
)
def test_values_are_counted_wherever_they_are(raw: bytes, count: int) -> None:
    """As many as are allowed pass, one more is refused; what stands in strings is no value."""
    check_count(raw, most=count)

    if count > 1:
        with pytest.raises(MalformedBodyError, match=f"the body holds more than {count - 1} values"):
            check_count(raw, most=count - 1)
