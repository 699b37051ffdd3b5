"""`key=value` words, and what they mean by a schema."""

from typing import Any

import msgspec
import pytest

from gateway.client.errors import BadWordsError
from gateway.client.values import Word, build_params, fill_word, find_missing_secrets, read_words, write_words

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "named": {"$ref": "#/$defs/name"},
        "count": {"type": "integer"},
        "share": {"type": "number"},
        "flag": {"type": "boolean"},
        "items": {"type": "array"},
        "options": {"type": "object"},
        "nothing": {"type": "null"},
        "either": {"type": ["string", "null"]},
        "amount": {"type": ["integer", "null"]},
        "choice": {"enum": [1, 2, "auto"]},
        "fixed": {"const": "x"},
        "union": {"anyOf": [{"type": "integer"}, {"type": "array"}]},
        "mixed": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
        "both": {"allOf": [{}, {"type": "integer"}]},
        "elsewhere": {"$ref": "#/properties/text"},
        "round": {"$ref": "#/$defs/round"},
        "anything": True,
        "never": False,
        "token": {"type": "string", "writeOnly": True},
        "pin": {"type": "integer", "writeOnly": True},
    },
    "required": ["text", "token", "pin"],
    "$defs": {"name": {"type": "string"}, "round": {"$ref": "#/$defs/round"}},
}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("text=abc", "abc"),
        ("text=5", "5"),
        ("text=null", "null"),
        ("text=", ""),
        ("text=a=b", "a=b"),
        ("text:=5", 5),
        ("named=5", "5"),
        ("count=5", 5),
        ("count=-5", -5),
        ("count=five", "five"),
        ("count=05", "05"),
        ("count=", ""),
        ("share=1.5", 1.5),
        ("flag=true", True),
        ("flag=yes", "yes"),
        ('items=["a", 1]', ["a", 1]),
        ("items=[1,", "[1,"),
        ('options={"a": null}', {"a": None}),
        ("nothing=null", None),
        ("either=null", "null"),
        ("either:=null", None),
        ("amount=null", None),
        ("amount=7", 7),
        ("choice=2", 2),
        ("choice=auto", "auto"),
        ("choice=other", "other"),
        ("fixed=x", "x"),
        ("fixed=1", 1),
        ("union=[1]", [1]),
        ("mixed=1", "1"),
        ("both=1", 1),
        ("elsewhere=1", "1"),
        ("round=1", "1"),
        ("anything=1", "1"),
        ("never=1", 1),
        ("unknown=1", "1"),
    ],
)
def test_a_word_means_what_its_schema_takes(word: str, value: object) -> None:
    """Text where a string is taken, else JSON, else text again: the gateway is the judge."""
    params = build_params(read_words([word]), SCHEMA)

    assert {word.partition("=")[0].removesuffix(":"): value} == msgspec.json.decode(msgspec.json.encode(params))


def test_json_is_sent_as_it_was_typed() -> None:
    """Every digit and every repeated key of it, so that the gateway can refuse them."""
    params = build_params(read_words(['options={"a":1,"a":2}', "count=123456789012345678901234567890"]), SCHEMA)

    assert b'{"options":{"a":1,"a":2},"count":123456789012345678901234567890}' == msgspec.json.encode(params)


@pytest.mark.parametrize(
    ("words", "complaints"),
    [
        pytest.param(["abc"], ["the 1. word after the name is not key=value"], id="no sign"),
        pytest.param(["a=1", "=x"], ["the 2. word after the name is not key=value"], id="no key"),
        pytest.param([":=1"], ["the 1. word after the name is not key=value"], id="no key of JSON"),
        pytest.param(["a=1", "a:=2"], ["'a' is given twice"], id="twice"),
        pytest.param(["a=\udcff"], ["'a' is not UTF-8"], id="not UTF-8"),
        pytest.param(
            ["a=@-", "b:=@-"], ["@- stands twice, and the standard input can be read once"], id="one input for two"
        ),
        pytest.param(["a=@"], ["'a': no file is named after @"], id="no file"),
        pytest.param(
            ["x", "y", "a=@"],
            [
                "the 1. word after the name is not key=value",
                "the 2. word after the name is not key=value",
                "'a': no file is named after @",
            ],
            id="all at once",
        ),
    ],
)
def test_every_word_that_cannot_be_read_is_told(words: list[str], complaints: list[str]) -> None:
    """Without the word itself, which may be a secret."""
    with pytest.raises(BadWordsError) as caught:
        read_words(words)

    assert tuple(complaints) == caught.value.complaints


def test_json_that_is_none_is_told() -> None:
    """Every one of them, with the way out for strings."""
    with pytest.raises(BadWordsError) as caught:
        build_params(read_words(["a:=x", "b:=", "c=1"]), SCHEMA)

    assert (
        "a: what follows := is not JSON; quote strings, as a:='\"text\"'",
        "b: what follows := is not JSON; quote strings, as b:='\"text\"'",
    ) == caught.value.complaints


@pytest.mark.parametrize(
    ("content", "text"), [(b"a\n", "a"), (b"a\r\n", "a"), (b"a\n\n", "a\n"), (b"", ""), ("é".encode(), "é")]
)
def test_a_file_loses_only_the_line_break_that_ends_it(content: bytes, text: str) -> None:
    """As editors write one that is not meant."""
    (word,) = read_words(["token=@path"])

    assert Word(name="token", text=text) == fill_word(word, content)


def test_a_file_that_is_not_utf_8_is_told() -> None:
    """By its name."""
    with pytest.raises(BadWordsError, match="token: path is not UTF-8"):
        fill_word(read_words(["token=@path"])[0], b"\xff")


def test_only_required_secrets_are_missed() -> None:
    """In the order in which they are declared."""
    assert ("token", "pin") == find_missing_secrets(SCHEMA, ["text"])
    assert ("pin",) == find_missing_secrets(SCHEMA, ["token"])
    assert () == find_missing_secrets({}, [])


def test_no_value_is_in_the_repr() -> None:
    """It may be a secret."""
    assert "Word('token')" == repr(read_words(["token=hunter2"])[0])


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"text": "a b", "count": 3}, ("text=a b", "count=3")),
        ({"text": "@a", "anything": 1}, ('text:="@a"', "anything:=1")),
        ({"count": "3", "items": [1]}, ('count:="3"', "items=[1]")),
    ],
)
def test_params_are_written_as_words_that_mean_them(params: dict[str, Any], words: tuple[str, ...]) -> None:
    """What is written is read again as the same params."""
    written = write_words(params, SCHEMA)

    assert words == written
    assert params == msgspec.json.decode(msgspec.json.encode(build_params(read_words(written), SCHEMA)))
