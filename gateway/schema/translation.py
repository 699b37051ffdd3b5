"""From JSON Schema to a msgspec type: what msgspec can say exactly, and the residue that it cannot.

What comes in: one schema. What goes out: a type that accepts only what the schema accepts once its residue has been
checked too. The type may refuse more than the schema does (`1.0` is an integer to JSON Schema, not to msgspec): then
the whole schema decides. So the type must be sound, and need not be complete.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.config.model import Schema
from gateway.schema.references import name_of
from gateway.schema.vocabulary import ANNOTATIONS

MAX_EXACT = 2**53
"""Beyond it a bound may not be the same number as an integer and as a float."""
RESERVED = frozenset({"__type__", "__value__"})
"""Keys of Kombu's own envelope."""
_PASSIVE = ANNOTATIONS | {"type"}
_UNNAMEABLE = re.compile(r'["\\\x00-\x1f]')
"""What msgspec refuses in the name of a member, as JSON would escape it."""
_SAFE_PATTERN = re.compile(r"\^(\[(?:[A-Za-z0-9_.:/@#%+,;=~ -]|\\[.\-/])+\](?:\+|\{\d{1,3}(?:,\d{1,3})?\})?)\$")


class Translation(Struct, frozen=True, kw_only=True):
    """One schema, split between msgspec and the rest."""

    type: Any
    residue: Schema = True
    """What is left to check; True when msgspec says it all."""
    is_tight: bool = False
    """True when the type leaves nothing open: no part of any shape, no integer beyond 64 bits, no depth of its own."""


def translate(schema: Schema, *, named: Mapping[str, Schema], open_names: frozenset[str] = frozenset()) -> Translation:
    """Split one schema; `open_names` are the named schemas being translated, which may not be entered again."""
    if isinstance(schema, bool):
        return Translation(type=Any, residue=schema)
    said = schema.keys() - ANNOTATIONS
    name = name_of(schema.get("$ref")) if said == {"$ref"} else None
    if name is not None and name in named and name not in open_names:
        return (
            translate(named[name], named=named, open_names=open_names | {name})
            if _is_plain(named[name])
            else _keep(schema)
        )
    kinds = schema.get("type")
    if isinstance(kinds, list) and len(kinds) == 2 and "null" in kinds and "enum" not in said and "const" not in said:  # noqa: PLR2004 - a type and null
        kind = next((each for each in kinds if each != "null"), "null")
        inner = translate({**schema, "type": kind}, named=named, open_names=open_names)
        if inner.residue is not True:
            return _keep(schema)
        return Translation(type=inner.type | None, is_tight=inner.is_tight)
    if "enum" in said or "const" in said:
        return _translate_choice(schema, said)
    translator = _TRANSLATORS.get(kinds) if isinstance(kinds, str) else None
    if translator is None:
        return _keep(schema)
    return translator(schema, said, named, open_names)


def _keep(schema: Schema, kind: Any = Any) -> Translation:
    """Leave a whole schema to the residue."""
    return Translation(type=kind, residue=schema)


def _is_plain(schema: Schema) -> bool:
    """Tell whether a schema reads the same wherever it stands: no reference of its own into itself."""
    return isinstance(schema, dict) and not {"$id", "$anchor", "$dynamicAnchor", "$defs"} & schema.keys()


def _translate_choice(schema: dict[str, Any], said: set[str]) -> Translation:
    choices = schema["enum"] if "enum" in said else [schema["const"]]
    kind = schema.get("type")
    for wanted, name in ((str, "string"), (int, "integer")):
        if said <= {"enum", "const", "type"} and len(said & {"enum", "const"}) == 1 and kind in (None, name):
            is_exact = choices and all(type(choice) is wanted and _fits(choice) for choice in choices)
            if is_exact:
                return Translation(type=Literal[tuple(choices)], is_tight=True)
    return _keep(schema)


def _fits(choice: str | int) -> bool:
    return isinstance(choice, str) or -(2**63) <= choice < 2**63


def _translate_string(schema: dict[str, Any], said: set[str], *_: Any) -> Translation:
    meta: dict[str, Any] = {}
    left: dict[str, Any] = {}
    for keyword in said - {"type"}:
        value = schema[keyword]
        if keyword in {"minLength", "maxLength"} and type(value) is int:
            meta["min_length" if keyword == "minLength" else "max_length"] = value
        elif keyword == "pattern" and _SAFE_PATTERN.fullmatch(value):
            # One class of ASCII characters, repeated: linear, and the same to every engine but for `$`.
            meta["pattern"] = rf"\A{value[1:-1]}\Z"
        else:
            left[keyword] = value
    return Translation(type=Annotated[str, Meta(**meta)] if meta else str, residue=left or True, is_tight=True)


def _translate_integer(schema: dict[str, Any], said: set[str], *_: Any) -> Translation:
    bounds = {keyword: schema[keyword] for keyword in said & _BOUNDS.keys()}
    step = schema.get("multipleOf")
    if not said <= {*_PASSIVE, *_BOUNDS, "multipleOf"} or not _are_exact(bounds):
        return _keep(schema, int)
    meta = {_BOUNDS[keyword]: _as_integer(keyword, value) for keyword, value in bounds.items()}
    if step is not None:
        if type(step) is not int:
            return _keep(schema, int)
        meta["multiple_of"] = step
    return Translation(type=_constrain(int, _bound(meta)), is_tight=True)


def _translate_number(schema: dict[str, Any], said: set[str], *_: Any) -> Translation:
    bounds = {keyword: schema[keyword] for keyword in said & _BOUNDS.keys()}
    if not said <= {*_PASSIVE, *_BOUNDS} or not _are_exact(bounds):
        return _keep(schema, int | float)
    whole = {_BOUNDS[keyword]: _as_integer(keyword, value) for keyword, value in bounds.items()}
    broken = {_BOUNDS[keyword]: float(value) for keyword, value in bounds.items()}
    return Translation(type=_constrain(int, _bound(whole)) | _constrain(float, broken), is_tight=True)


_BOUNDS = {"minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt"}


def _are_exact(bounds: Mapping[str, Any]) -> bool:
    # msgspec takes one bound of each side only.
    is_one_sided = (
        not {"minimum", "exclusiveMinimum"} <= bounds.keys() and not {"maximum", "exclusiveMaximum"} <= bounds.keys()
    )
    return is_one_sided and all(abs(bound) <= MAX_EXACT for bound in bounds.values())


def _as_integer(keyword: str, bound: float) -> int:
    """Move a bound to the nearest integer on its inner side."""
    return math.ceil(bound) if keyword in {"minimum", "exclusiveMaximum"} else math.floor(bound)


def _bound(meta: dict[str, Any]) -> dict[str, Any]:
    """Keep an integer within 64 bits on the sides where its schema does not."""
    low = {} if meta.keys() & {"ge", "gt"} else {"ge": -(2**63)}
    high = {} if meta.keys() & {"le", "lt"} else {"le": 2**63 - 1}
    return meta | low | high


def _constrain(kind: type, meta: dict[str, Any]) -> Any:
    return Annotated[kind, Meta(**meta)] if meta else kind


def _translate_array(
    schema: dict[str, Any], said: set[str], named: Mapping[str, Schema], open_names: frozenset[str]
) -> Translation:
    if not said <= {*_PASSIVE, "items", "minItems", "maxItems", "uniqueItems"}:
        return _keep(schema, list)
    items = translate(schema.get("items", True), named=named, open_names=open_names)
    meta = {
        name: schema[keyword]
        for keyword, name in (("minItems", "min_length"), ("maxItems", "max_length"))
        if keyword in said
    }
    if any(type(length) is not int for length in meta.values()):
        return _keep(schema, list)
    left: dict[str, Any] = {} if items.residue is True else {"items": items.residue}
    if schema.get("uniqueItems"):
        left["uniqueItems"] = True
    kind: Any = list if items.type is Any else list[items.type]  # type: ignore[name-defined] # a type made at run time
    return Translation(type=_constrain(kind, meta), residue=left or True, is_tight=items.is_tight)


def _translate_object(
    schema: dict[str, Any], said: set[str], named: Mapping[str, Schema], open_names: frozenset[str]
) -> Translation:
    """Translate a closed object to a Struct; an open one is only known to be an object, as a Struct would lose keys."""
    is_closed = schema.get("additionalProperties") is False
    if not said <= {*_PASSIVE, "properties", "required", "additionalProperties"} or not is_closed:
        return Translation(type=dict[str, Any], residue=True if said <= {"type"} else schema)
    properties: dict[str, Schema] = schema.get("properties", {})
    required = schema.get("required", [])
    if not set(required) <= properties.keys() or any(map(_UNNAMEABLE.search, properties)):
        return _keep(schema, dict[str, Any])
    inner = {name: translate(each, named=named, open_names=open_names) for name, each in properties.items()}
    left = {name: each.residue for name, each in inner.items() if each.residue is not True}
    kind = make_struct(inner, required=frozenset(required), title="Object")
    is_tight = all(each.is_tight for each in inner.values()) and not properties.keys() & RESERVED
    return Translation(type=kind, residue={"properties": left} if left else True, is_tight=is_tight)


def make_struct(properties: Mapping[str, Translation], *, required: frozenset[str], title: str) -> type[Struct]:
    """Make the Struct of a closed object; its fields have names of their own, so that any property name will do."""
    fields: list[Any] = []
    for index, (name, each) in enumerate(properties.items()):
        # Union[…] rather than `|`: the type of null is None, which has no `|`.
        kind = each.type if name in required else Union[each.type, UnsetType]  # noqa: UP007 - see above
        default = {} if name in required else {"default": UNSET}
        fields.append((f"f{index}", kind, msgspec.field(name=name, **default)))
    return msgspec.defstruct(title, fields, kw_only=True, forbid_unknown_fields=True, gc=False)


def _translate_simple(kind: Any) -> Callable[..., Translation]:
    def translate_simple(schema: dict[str, Any], said: set[str], *_: Any) -> Translation:
        return Translation(type=kind, is_tight=True) if said <= _PASSIVE else _keep(schema, kind)

    return translate_simple


_TRANSLATORS: dict[str, Callable[..., Translation]] = {
    "string": _translate_string,
    "integer": _translate_integer,
    "number": _translate_number,
    "array": _translate_array,
    "object": _translate_object,
    "boolean": _translate_simple(bool),
    "null": _translate_simple(None),
}
