"""Defaults: filled in wherever the schema gives them, into a copy, never over what was sent.

What comes in: a schema. What goes out: a function from a value to the value with its defaults, or None when the schema
has none to give. Alternatives (`anyOf`, `oneOf`, `if`) give none, as which of them holds is not a matter of form.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from gateway.config.model import Schema
from gateway.schema.references import name_of

Filler = Callable[[Any], Any]
_SCALARS = (str, int, float, bool, type(None))


def make_filler(schema: Schema, *, named: Mapping[str, Schema], root: Schema | None = None) -> Filler | None:
    """Make the function that fills in the defaults below a value."""
    return _Fillers(named).make(schema, schema if root is None else root)


def find_default(schema: Schema, *, named: Mapping[str, Schema]) -> tuple[Any] | None:
    """Return the default of a property, its own or its named schema's, in a tuple; None when there is none."""
    seen: set[str] = set()
    while isinstance(schema, dict):
        if "default" in schema:
            return (schema["default"],)
        name = name_of(schema.get("$ref"))
        if name is None or name in seen or name not in named:
            return None
        seen.add(name)
        schema = named[name]
    return None


class _Fillers:
    """Makes fillers; a recursive schema gets a filler that calls itself."""

    def __init__(self, named: Mapping[str, Schema]) -> None:
        self._named = named
        self._known: dict[int, list[Filler | None]] = {}

    def make(self, schema: Schema, root: Schema) -> Filler | None:
        if not isinstance(schema, dict):
            return None
        if id(schema) in self._known:
            slot = self._known[id(schema)]
            return lambda value: value if slot[0] is None else slot[0](value)
        slot = self._known[id(schema)] = [None]
        parts = [
            self._make_properties(schema, root),
            self._make_items(schema, root),
            self._make_reference(schema, root),
        ]
        parts += [self.make(each, root) for each in schema.get("allOf", ())]
        slot[0] = _chain([part for part in parts if part is not None])
        return slot[0]

    def _make_reference(self, schema: dict[str, Any], root: Schema) -> Filler | None:
        reference = schema.get("$ref")
        name = name_of(reference)
        if name is not None and name in self._named:
            return self.make(self._named[name], self._named[name])
        if isinstance(reference, str) and reference.startswith("#"):
            target = _dig(root, reference[1:])
            return None if target is None else self.make(target, root)
        return None

    def _make_properties(self, schema: dict[str, Any], root: Schema) -> Filler | None:
        defaults: dict[str, Any] = {}
        inner: dict[str, Filler] = {}
        for name, each in schema.get("properties", {}).items():
            default = find_default(each, named=self._named)
            if default is not None:
                defaults[name] = default[0]
            filler = self.make(each, root)
            if filler is not None:
                inner[name] = filler
        return make_object_filler(defaults, inner) if defaults or inner else None

    def _make_items(self, schema: dict[str, Any], root: Schema) -> Filler | None:
        first = [self.make(each, root) for each in schema.get("prefixItems", ())]
        rest = self.make(schema.get("items", True), root)
        if rest is None and not any(first):
            return None

        def fill(value: Any) -> Any:
            if not isinstance(value, list):
                return value
            fillers = [*first, *[rest] * (len(value) - len(first))]
            return [item if each is None else each(item) for each, item in zip(fillers, value, strict=False)]

        return fill


def make_object_filler(defaults: Mapping[str, Any], inner: Mapping[str, Filler]) -> Filler:
    """Make the filler of an object: its missing properties first, then what lies below the present ones."""
    is_flat = all(isinstance(default, _SCALARS) for default in defaults.values()) and not inner

    def fill_flat(value: Any) -> Any:
        return {**defaults, **value} if isinstance(value, dict) else value

    def fill(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        filled = {**deepcopy(dict(defaults)), **value}
        for name, filler in inner.items():
            if name in filled:
                filled[name] = filler(filled[name])
        return filled

    return fill_flat if is_flat else fill


def _chain(parts: list[Filler]) -> Filler | None:
    if len(parts) <= 1:
        return parts[0] if parts else None

    def fill(value: Any) -> Any:
        for part in parts:
            value = part(value)
        return value

    return fill


def _dig(root: Schema, pointer: str) -> Schema | None:
    """Follow a JSON Pointer within a schema; None when it is an anchor or leads nowhere."""
    value: Any = root
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value if (not pointer or pointer.startswith("/")) and isinstance(value, dict | bool) else None
