"""Every fault of refused params, in plain words and without the values, which may be secret."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import chain
from typing import Any

import jsonschema_rs
from msgspec.structs import replace

from gateway.config.model import Schema
from gateway.errors import Fault
from gateway.schema.locating import locate
from gateway.schema.references import make_validator
from gateway.schema.strict_json import escape

MAX_FAULTS = 100
SHOWN_CHOICES = 20
SHOWN_NAME = 128


class WholeSchemas:
    """The schemas of all parameters, whole: they decide where msgspec refuses, and tell every fault."""

    def __init__(
        self,
        schemas: Mapping[str, Schema],
        *,
        required: tuple[str, ...],
        named: Mapping[str, Schema],
        secret_names: frozenset[str] = frozenset(),
    ) -> None:
        self._schemas = schemas
        self._required = required
        self._named = named
        self._secret_names = secret_names
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def find_faults(self, params: Any) -> tuple[Fault, ...]:
        """Find every fault of params, in the order of what was sent, then of what is missing."""
        if not isinstance(params, dict):
            detail = f"wanted an object, got {_name_type(params)}"
            return (Fault(pointer="", code="type", detail=detail, expected="object"),)
        faults: dict[tuple[str, str], Fault] = {}
        for fault in chain(self._find_unsound(params), self._find_missing(params)):
            faults.setdefault((fault.pointer, fault.code), fault)
            if len(faults) >= MAX_FAULTS:
                break
        return tuple(self._hide(fault) for fault in faults.values())

    def _hide(self, fault: Fault) -> Fault:
        """Blame a secret parameter as a whole: the names of members are what was sent, too."""
        name = fault.pointer.split("/", 2)[1]
        return replace(fault, pointer=f"/{name}") if name in self._secret_names else fault

    def _find_missing(self, params: dict[str, Any]) -> Iterator[Fault]:
        for name in self._required:
            if name not in params:
                yield Fault(pointer=f"/{escape(name)}", code="required", detail=f"{name} is missing")

    def _find_unsound(self, params: dict[str, Any]) -> Iterator[Fault]:
        for name, value in params.items():
            if name not in self._schemas:
                yield _refuse_member("", name, "additionalProperties", self._schemas)
                continue
            for error in self._find_validator(name).iter_errors(value):
                yield from _explain(error, f"/{escape(name)}", self._schemas[name], value)

    def _find_validator(self, name: str) -> jsonschema_rs.Draft202012Validator:
        """Make a validator when it is first asked: most parameters are never refused."""
        validator = self._validators.get(name)
        if validator is None:
            validator = self._validators[name] = make_validator(self._schemas[name], named=self._named)
        return validator


def _explain(error: jsonschema_rs.ValidationError, at: str, schema: Schema, value: Any) -> Iterator[Fault]:
    kind, facts = error.kind.name, error.kind.as_dict()
    pointer = at + "".join(f"/{escape(step)}" for step in locate(value, error.instance_path))
    if kind in {"additionalProperties", "unevaluatedProperties"}:
        known = _find_properties(schema, error.schema_path)
        for name in facts["unexpected"]:
            yield _refuse_member(pointer, name, kind, known)
    elif kind == "required":
        name = facts["property"]
        yield Fault(pointer=f"{pointer}/{escape(name)}", code=kind, detail=f"{name} is missing")
    elif kind in {"anyOf", "oneOf"} and any(facts["context"]):
        yield _explain_alternatives(kind, pointer, facts["context"])
    else:
        detail, expected = _say(error)
        yield Fault(pointer=pointer, code=kind, detail=detail, expected=expected)


def _refuse_member(at: str, name: str, code: str, known: Iterable[str]) -> Fault:
    near = get_close_matches(name[:SHOWN_NAME], known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    noun = "member" if at else "parameter"
    return Fault(pointer=f"{at}/{escape(name[:SHOWN_NAME])}", code=code, detail=f"no such {noun}{hint}")


def _find_properties(schema: Any, steps: list[Any]) -> list[str]:
    """Find the properties declared beside the keyword that refused one; none when a reference was followed."""
    try:
        for step in steps[:-1]:
            schema = schema[step]
        return list(schema["properties"])
    except (LookupError, TypeError):
        return []


def _explain_alternatives(kind: str, pointer: str, context: list[list[jsonschema_rs.ValidationError]]) -> Fault:
    ways = [" and ".join(dict.fromkeys(_say(error)[0] for error in branch)) for branch in context if branch]
    return Fault(
        pointer=pointer, code=kind, detail=f"fits none of the alternatives: {'; or '.join(dict.fromkeys(ways))}"
    )


def _say(error: jsonschema_rs.ValidationError) -> tuple[str, Any]:
    """Say what is wanted, and the value that the schema names for it."""
    facts = error.kind.as_dict()
    words = _WORDS.get(error.kind.name)
    if words is None:
        return f"does not fit `{error.kind.name}`", None
    return words(facts, error.instance)


def _name_type(value: Any) -> str:
    return _TYPE_NAMES.get(type(value), "a number")


def _say_type(facts: dict[str, Any], value: Any) -> tuple[str, Any]:
    types = sorted(facts["types"], key="null".__eq__)
    wanted = " or ".join(_ARTICLES[each] for each in types)
    return f"wanted {wanted}, got {_name_type(value)}", types[0] if len(types) == 1 else types


def _say_limit(words: str) -> Callable[[dict[str, Any], Any], tuple[str, Any]]:
    def say(facts: dict[str, Any], _: Any) -> tuple[str, Any]:
        limit = next(iter(facts.values()))
        return words.format(limit=limit), limit

    return say


def _say_plain(words: str) -> Callable[[dict[str, Any], Any], tuple[str, Any]]:
    return lambda _facts, _value: (words, None)


def _say_choice(facts: dict[str, Any], _: Any) -> tuple[str, Any]:
    options = facts["options"]
    shown = ", ".join(str(option) for option in options[:SHOWN_CHOICES])
    return f"wanted one of {shown}{', …' if len(options) > SHOWN_CHOICES else ''}", options


_ARTICLES = {
    "string": "a string", "integer": "an integer", "number": "a number", "boolean": "true or false",
    "array": "an array", "object": "an object", "null": "null",
}  # fmt: skip
_TYPE_NAMES = {
    str: "a string", bool: "a boolean", list: "an array", dict: "an object", type(None): "null",
}  # fmt: skip
_WORDS: dict[str, Callable[[dict[str, Any], Any], tuple[str, Any]]] = {
    "type": _say_type,
    "enum": _say_choice,
    "const": _say_limit("wanted {limit}"),
    "minimum": _say_limit("wanted at least {limit}"),
    "maximum": _say_limit("wanted at most {limit}"),
    "exclusiveMinimum": _say_limit("wanted more than {limit}"),
    "exclusiveMaximum": _say_limit("wanted less than {limit}"),
    "multipleOf": _say_limit("wanted a multiple of {limit}"),
    "minLength": _say_limit("wanted at least {limit} characters"),
    "maxLength": _say_limit("wanted at most {limit} characters"),
    "pattern": _say_limit("wanted a string that matches {limit}"),
    "format": _say_limit("wanted a valid {limit}"),
    "minItems": _say_limit("wanted at least {limit} items"),
    "maxItems": _say_limit("wanted at most {limit} items"),
    "minProperties": _say_limit("wanted at least {limit} members"),
    "maxProperties": _say_limit("wanted at most {limit} members"),
    "uniqueItems": _say_plain("wanted no item twice"),
    "contains": _say_plain("wanted an item that is not there, or fewer of those that are"),
    "not": _say_plain("is just what is not allowed"),
    "oneOf": _say_plain("fits more than one of the alternatives"),
    "falseSchema": _say_plain("may not be given"),
    "propertyNames": _say_plain("has a member whose name is not allowed"),
    "unevaluatedItems": _say_plain("has more items than are declared"),
}
