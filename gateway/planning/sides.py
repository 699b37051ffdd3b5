"""One of the two schemas that are compared, with what its references mean.

In the file `#/schemas/…` is a named schema; any other `#…` stays within the named schema or parameter it is in.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from gateway.config import Schema
from gateway.schema.references import name_of
from gateway.schema.vocabulary import ANNOTATIONS, LIST_OF_SCHEMAS, MAP_OF_SCHEMAS, ONE_SCHEMA, walk_schemas

_SILENT = ANNOTATIONS | {"$defs", "$schema", "contentSchema"}
_SCOPES = frozenset({"$id", "$anchor", "$dynamicAnchor", "$dynamicRef"})
_MAX_HOPS = 32


class Side(Struct, frozen=True):
    """A schema in its surroundings."""

    schema: Schema
    root: Schema
    """The parameter or named schema that `#` means here."""
    named: Mapping[str, Schema]

    def at(self, schema: Schema) -> "Side":
        """Return another schema of the same root."""
        return Side(schema, self.root, self.named)

    def get(self, keyword: str, default: Any) -> Any:
        """Return the value of a keyword."""
        return self.schema.get(keyword, default) if isinstance(self.schema, dict) else default

    def inner(self, keyword: str) -> "Side":
        """Return the schema under a keyword; what is left out accepts everything."""
        return self.at(self.get(keyword, True))

    @property
    def key(self) -> str:
        """What tells this schema, in its root, from any other of the same file."""
        return write([self.schema, self.root])

    @property
    def said(self) -> frozenset[str]:
        """The keywords that decide what is accepted."""
        if isinstance(self.schema, bool):
            return frozenset() if self.schema else frozenset({"not"})
        return frozenset(key for key in self.schema if key not in _SILENT and not key.startswith("x-"))

    @property
    def is_nothing(self) -> bool:
        """True for the schema that accepts no value."""
        return self.schema is False

    @property
    def is_scoped(self) -> bool:
        """True when anchors or identifiers decide what a reference in its root means."""
        return any(isinstance(each, dict) and _SCOPES & each.keys() for _, each in walk_schemas(self.root))

    def follow(self) -> "Side | None":
        """Return what `$ref` leads to; None when that is not known here."""
        reference = self.get("$ref", None)
        name = name_of(reference)
        if name is not None:
            found = self.named.get(name)
            return None if found is None else Side(found, found, self.named)
        if not isinstance(reference, str) or not reference.startswith("#") or self.is_scoped:
            return None
        target = _dig(self.root, reference[1:])
        return None if target is None else self.at(target)

    def resolve(self) -> "Side":
        """Follow references that say all there is to say."""
        side = self
        for _ in range(_MAX_HOPS):
            target = side.follow() if side.said == {"$ref"} else None
            if target is None:
                return side
            side = target
        return side


def is_same(old: Side, new: Side) -> bool:
    """Tell whether two schemas say the same, and mean the same by it."""
    if write(strip(old.schema)) != write(strip(new.schema)):
        return False
    references = list(_find_references(old.schema))
    if any(name_of(each) is None for each in references) and write(strip_all(old.root)) != write(strip_all(new.root)):
        return False
    reached_old, reached_new = _reach(old), _reach(new)
    return reached_old == reached_new


def write(value: Any) -> str:
    """Write a JSON value so that equal ones are written alike: 1.0 is 1, true is not."""
    return json.dumps(_level(value), sort_keys=True)


def strip(schema: Any) -> Any:
    """Copy a schema without the keywords that accept or refuse nothing."""
    return _strip(schema, _SILENT)


def strip_all(schema: Any) -> Any:
    """Copy a schema without its annotations, `$defs` kept: something may refer to them."""
    return _strip(schema, _SILENT - {"$defs"})


def _strip(schema: Any, silent: frozenset[str]) -> Any:
    if not isinstance(schema, dict):
        return schema
    return {
        keyword: _strip_keyword(keyword, value, silent)
        for keyword, value in schema.items()
        if keyword not in silent and not keyword.startswith("x-")
    }


def _strip_keyword(keyword: str, value: Any, silent: frozenset[str]) -> Any:
    if keyword in ONE_SCHEMA:
        return _strip(value, silent)
    if keyword in LIST_OF_SCHEMAS and isinstance(value, list):
        return [_strip(item, silent) for item in value]
    if keyword in MAP_OF_SCHEMAS and isinstance(value, dict):
        return {name: _strip(item, silent) for name, item in value.items()}
    return value


def _level(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _level(item) for key, item in value.items()}
    return [_level(item) for item in value] if isinstance(value, list) else value


def _find_references(schema: Any) -> Iterator[Any]:
    for _, each in walk_schemas(schema):
        if isinstance(each, dict):
            yield from (each[keyword] for keyword in ("$ref", "$dynamicRef") if keyword in each)


def _reach(side: Side) -> dict[str, str]:
    """Collect the named schemas that are reached, as they are written."""
    reached: dict[str, str] = {}
    waiting = [side.schema, side.root]
    while waiting:
        for reference in _find_references(waiting.pop()):
            name = name_of(reference)
            if name is not None and name in side.named and name not in reached:
                reached[name] = write(strip_all(side.named[name]))
                waiting.append(side.named[name])
    return reached


def _dig(root: Schema, pointer: str) -> Schema | None:
    value: Any = root
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict) and name in value:
            value = value[name]
        else:
            return None
    return value if (not pointer or pointer.startswith("/")) and isinstance(value, dict | bool) else None
