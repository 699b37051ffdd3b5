"""Every fault of refused params, in plain words and without the values, which may be secret."""

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any

import jsonschema_rs

from gateway.errors import Fault
from gateway.schema.strict_json import escape

MAX_FAULTS = 100
SHOWN_CHOICES = 20


def explain(errors: Iterable[jsonschema_rs.ValidationError], *, known: Iterable[str]) -> tuple[Fault, ...]:
    """Turn a validator's errors into faults, in its order; `known` are the names at the top, for the near misses."""
    names = list(known)
    faults: dict[tuple[str, str], Fault] = {}
    for error in errors:
        for fault in _explain(error, names):
            faults.setdefault((fault.pointer, fault.code), fault)
        if len(faults) >= MAX_FAULTS:
            break
    return tuple(faults.values())[:MAX_FAULTS]


def _explain(error: jsonschema_rs.ValidationError, known: list[str]) -> Iterator[Fault]:
    kind, facts = error.kind.name, error.kind.as_dict()
    pointer = "".join(f"/{escape(step)}" for step in error.instance_path)
    if kind in {"additionalProperties", "unevaluatedProperties"}:
        for name in facts["unexpected"]:
            near = get_close_matches(name[:128], known, n=1) if not pointer else []
            hint = f"; did you mean {near[0]}?" if near else ""
            yield Fault(pointer=f"{pointer}/{escape(name[:128])}", code=kind, detail=f"no such parameter{hint}")
    elif kind == "required":
        name = facts["property"]
        yield Fault(pointer=f"{pointer}/{escape(name)}", code=kind, detail=f"{name} is missing")
    elif kind in {"anyOf", "oneOf"} and any(facts["context"]):
        yield _explain_alternatives(kind, pointer, facts["context"])
    else:
        detail, expected = _say(error)
        yield Fault(pointer=pointer, code=kind, detail=detail, expected=expected)


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
    types = facts["types"]
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
