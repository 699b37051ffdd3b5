"""From a type hint to a JSON Schema, with a note for all that the schema cannot say.

What comes in: a resolved hint. What goes out: a schema for the parameter and notes. What it does not know accepts any
JSON value, and says so.
"""

import datetime as dt
import enum
import types
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import is_dataclass
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, get_args, get_origin, is_typeddict

import msgspec

from gateway.scaffolding.adapting import take_apart

ANY_VALUE = "any JSON value is accepted"
_SIMPLE: dict[Any, dict[str, Any]] = {
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    list: {"type": "array"},
    dict: {"type": "object"},
    dt.datetime: {"type": "string", "format": "date-time"},
    dt.date: {"type": "string", "format": "date"},
    uuid.UUID: {"type": "string", "format": "uuid"},
}
_TEXTS = {dt.datetime, dt.date, uuid.UUID}
_LISTS = {list, Sequence, MutableSequence, Iterable, Collection}
_SETS = {set, frozenset, AbstractSet}
_MAPPINGS = {dict, Mapping, MutableMapping}


def read_hint(hint: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Write the schema of a hint, its definitions under `$defs`, and the notes on it."""
    reader = _Reader()
    schema = reader.read(hint)
    if reader.definitions:
        schema = {**schema, "$defs": reader.definitions}
    return schema, tuple(dict.fromkeys(reader.notes))


def name_hint(hint: Any) -> str:
    """Name a hint as its author wrote it, more or less."""
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint).replace("typing.", "")


class _Reader:
    """Reads one hint; definitions are collected for the root."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}
        self.notes: list[str] = []

    def read(self, hint: Any) -> dict[str, Any]:
        if hint is Any or hint is object:
            self.notes.append(f"hinted as {name_hint(hint)}: {ANY_VALUE}")
            return {}
        if isinstance(hint, NewType):
            return self.read(hint.__supertype__)
        if _is_known(hint):
            if hint in _TEXTS:
                self.notes.append(f"the function receives a string, not a {hint.__name__}")
            return dict(_SIMPLE[hint])
        origin = get_origin(hint)
        if origin is Annotated:
            return self._read_annotated(hint)
        if origin is Literal:
            return self._read_choices(hint, list(get_args(hint)))
        if origin in {Union, types.UnionType}:
            return self._read_union(get_args(hint))
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            self.notes.append(f"the function receives the value, not a {hint.__name__}")
            return self._read_choices(hint, [member.value for member in hint])
        return self._read_collection(hint, origin) or self._read_model(hint)

    def _read_annotated(self, hint: Any) -> dict[str, Any]:
        inner, *extras = get_args(hint)
        if any(isinstance(each, msgspec.Meta) for each in extras):
            return self._write(hint, msgspec.json.schema)
        return self.read(inner)

    def _read_choices(self, hint: Any, choices: list[Any]) -> dict[str, Any]:
        if not choices or not all(type(each) in {str, int, bool, type(None)} for each in choices):
            return self._give_up(hint)
        kinds = {type(each) for each in choices}
        kind = _SIMPLE[kinds.pop()] if len(kinds) == 1 else {}
        return {**kind, "enum": choices}

    def _read_union(self, members: tuple[Any, ...]) -> dict[str, Any]:
        schemas = [self.read(each) for each in members]
        if {} in schemas:
            return {}
        if all(each.keys() == {"type"} for each in schemas):
            return {"type": list(dict.fromkeys(each["type"] for each in schemas))}
        rest = [each for each in schemas if each != {"type": "null"}]
        if len(rest) == 1 and isinstance(rest[0].get("type"), str) and "enum" not in rest[0]:
            return {**rest[0], "type": [rest[0]["type"], "null"]}
        return {"anyOf": schemas}

    def _read_collection(self, hint: Any, origin: Any) -> dict[str, Any] | None:
        kind, arguments = origin or hint, get_args(hint)
        if kind in _LISTS:
            return {"type": "array", **self._read_items(arguments)}
        if kind in _SETS:
            self.notes.append("the function receives a list, not a set")
            return {"type": "array", **self._read_items(arguments), "uniqueItems": True}
        if kind in _MAPPINGS:
            return self._read_mapping(arguments)
        if kind is not tuple:
            return None
        self.notes.append("the function receives a list, not a tuple")
        if not arguments or arguments[-1] is Ellipsis:
            return {"type": "array", **self._read_items(arguments[:1])}
        items = [self.read(each) for each in arguments]
        return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}

    def _read_items(self, arguments: tuple[Any, ...]) -> dict[str, Any]:
        items = self.read(arguments[0]) if arguments and not isinstance(arguments[0], TypeVar) else {}
        return {"items": items} if items else {}

    def _read_mapping(self, arguments: tuple[Any, ...]) -> dict[str, Any]:
        if not arguments:
            return {"type": "object"}
        if arguments[0] is not str:
            self.notes.append("JSON turns the keys into strings")
        values = self.read(arguments[1])
        return {"type": "object", "additionalProperties": values} if values else {"type": "object"}

    def _read_model(self, hint: Any) -> dict[str, Any]:
        if isinstance(hint, type) and hasattr(hint, "model_json_schema"):
            self._note_object(hint)
            return self._write(hint, hint.model_json_schema)
        if isinstance(hint, type) and (is_dataclass(hint) or issubclass(hint, msgspec.Struct)):
            self._note_object(hint)
            return self._write(hint, msgspec.json.schema)
        if is_typeddict(hint):
            return self._write(hint, msgspec.json.schema)
        return self._give_up(hint)

    def _note_object(self, hint: type) -> None:
        self.notes.append(f"the function receives a dict, unless it makes a {hint.__name__} of it")

    def _write(self, hint: Any, write: Callable[..., dict[str, Any]]) -> dict[str, Any]:
        try:
            written = write() if hasattr(hint, "model_json_schema") else write(hint)
        except Exception:  # noqa: BLE001 - a model is foreign code: whatever it raises, it has no schema
            return self._give_up(hint)
        schema, definitions = take_apart(written, taken=self.definitions)
        self.definitions |= definitions
        name = schema.get("$ref", "").rpartition("/")[2]
        if schema.keys() == {"$ref"} and str(self.definitions).count(f"'#/$defs/{name}'") == 0:
            inlined: dict[str, Any] = self.definitions.pop(name)
            return inlined
        return schema

    def _give_up(self, hint: Any) -> dict[str, Any]:
        self.notes.append(f"the hint {name_hint(hint)} has no JSON Schema: {ANY_VALUE}")
        return {}


def _is_known(hint: Any) -> bool:
    try:
        return hint in _SIMPLE
    except TypeError:  # not hashable
        return False
