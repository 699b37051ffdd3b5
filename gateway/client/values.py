"""`key=value` words and the params that they mean by the JSON Schema of a task type.

What comes in: words as they were typed, and the schema of the catalog's entry. What goes out: params ready to be sent.
It never judges: what fits nothing is sent as the text that it is, and the gateway tells every fault of it at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from gateway.client.errors import BadWordsError

_MAX_DEPTH = 32
"""A schema may refer to itself."""


class Word(Struct, frozen=True, kw_only=True):
    """One `key=value`, its value still text."""

    name: str
    text: str
    is_json: bool = False
    """True of `key:=value`: the text is JSON, whatever the schema says."""
    file: str | None = None
    """Where the text is to be read from; `-` is the standard input."""

    def __repr__(self) -> str:
        """Show no value: it may be a secret."""
        return f"Word({self.name!r})"


def read_words(words: Sequence[str]) -> tuple[Word, ...]:
    """Read `key=value`, `key:=json`, `key=@file` and `key:=@file`.

    Raises: BadWordsError with every word that is none of these, and every key that stands twice.
    """
    complaints: list[str] = []
    read: dict[str, Word] = {}
    for position, each in enumerate(words, start=1):
        name, sign, text = each.partition("=")
        is_json = name.endswith(":")
        name = name.removesuffix(":")
        if not sign or not name:
            # The word itself may be a secret whose key was forgotten.
            complaints.append(f"the {position}. word after the name is not key=value")
        elif name in read:
            complaints.append(f"{_show(name)} is given twice")
        elif not _is_text(each):
            complaints.append(f"{_show(name)} is not UTF-8")
        else:
            file = text[1:] if text.startswith("@") else None
            read[name] = Word(name=name, text="" if file is not None else text, is_json=is_json, file=file)
    complaints += [f"{_show(each.name)}: no file is named after @" for each in read.values() if each.file == ""]
    if sum(each.file == "-" for each in read.values()) > 1:
        complaints.append("@- stands twice, and the standard input can be read once")
    if complaints:
        raise BadWordsError(tuple(complaints))
    return tuple(read.values())


def fill_word(word: Word, content: bytes) -> Word:
    """Return a word with the content of its file, without the line break that ends it.

    Raises: BadWordsError.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise BadWordsError((f"{word.name}: {word.file} is not UTF-8",)) from error
    return replace(word, text=text.removesuffix("\n").removesuffix("\r"), file=None)


def build_params(words: Iterable[Word], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Build params: text where the schema takes it as a string, else JSON, else text again.

    Shape: JSON is kept as it was typed, so that the gateway sees every digit and every repeated key of it.
    Raises: BadWordsError for every `:=` that is not JSON.
    """
    complaints: list[str] = []
    params: dict[str, Any] = {}
    declared = schema.get("properties", {})
    for word in words:
        raw = None
        if word.is_json or not _takes_text(declared.get(word.name, True), word.text, whole=schema):
            raw = _parse(word.text)
        if word.is_json and raw is None:
            complaints.append(f"{word.name}: what follows := is not JSON; quote strings, as {word.name}:='\"text\"'")
        params[word.name] = word.text if raw is None else raw
    if complaints:
        raise BadWordsError(tuple(complaints))
    return params


def write_words(params: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Write params as the words that mean them."""
    declared = schema.get("properties", {})

    def write(name: str, value: Any) -> str:
        is_text = isinstance(value, str) and not value.startswith("@")
        text = str(value) if is_text else msgspec.json.encode(value).decode()
        takes_text = _takes_text(declared.get(name, True), text, whole=schema)
        return f"{name}={text}" if is_text is takes_text else f"{name}:={msgspec.json.encode(value).decode()}"

    return tuple(write(name, value) for name, value in params.items())


def find_missing_secrets(schema: Mapping[str, Any], given: Iterable[str]) -> tuple[str, ...]:
    """Name the secret parameters that must be given and are not."""
    declared, missing = schema.get("properties", {}), set(schema.get("required", ())) - set(given)
    return tuple(name for name, each in declared.items() if name in missing and _is_secret(each))


def _takes_text(schema: object, text: str, *, whole: Mapping[str, Any], depth: int = 0) -> bool:
    """Tell whether a schema takes a string such as this, by its types and choices alone."""
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return schema is not False

    def takes(each: object) -> bool:
        return _takes_text(each, text, whole=whole, depth=depth + 1)

    kinds = schema.get("type", "string")
    return (
        (kinds == "string" or "string" in kinds)
        and ("enum" not in schema or text in schema["enum"])
        and ("const" not in schema or text == schema["const"])
        and ("$ref" not in schema or takes(_resolve(schema["$ref"], whole)))
        and all(takes(each) for each in schema.get("allOf", ()))
        and all(any(takes(each) for each in schema[name]) for name in ("anyOf", "oneOf") if name in schema)
    )


def _resolve(reference: object, whole: Mapping[str, Any]) -> object:
    """Find a named schema; one that stands elsewhere is taken for anything."""
    name = str(reference).removeprefix("#/$defs/")
    return whole.get("$defs", {}).get(name, True)


def _is_secret(schema: object) -> bool:
    return isinstance(schema, dict) and schema.get("writeOnly") is True


def _parse(text: str) -> Raw | None:
    try:
        return msgspec.json.decode(text.encode(), type=Raw).copy()
    except msgspec.DecodeError:
        return None


def _is_text(word: str) -> bool:
    """Tell whether an argument was UTF-8: Python keeps other bytes as lone surrogates."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _show(name: str) -> str:
    return ascii(name[:64])
