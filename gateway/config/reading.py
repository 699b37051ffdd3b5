"""From plain data to the model: struct by struct, key by key, so that no mistake hides another.

What comes in: documents. What goes out: a `Config` of all that is sound, and every issue of the rest. The structs of
`model` alone say what a file may hold.
"""

from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from gateway.config.document import Document, Path
from gateway.config.model import Parameter, TasksFile
from gateway.config.words import list_choices, show_path, show_type, show_value, suggest
from gateway.errors import Issue

BROKEN: Any = object()
"""Stands for a value that has been blamed already."""


def read_file(document: Document) -> tuple[TasksFile, list[Issue]]:
    """Read one document into the model; what is broken is left out, and is among the issues."""
    reader = _Reader(document)
    sound = reader.read_members(document.value, TasksFile, ())
    complete: dict[str, Any] = {"version": 1, "tasks": {}} | sound
    return TasksFile(**complete), reader.issues


def make_issue(
    document: Document, path: Path, found: str, wanted: str, hint: str | None = None, *, is_key: bool = False
) -> Issue:
    """Blame what stands at a path of a document, or the nearest thing above it that is written there."""
    place = document.keys.get(path) if is_key else document.values.get(path)
    steps = len(path)
    while place is None and steps:
        steps -= 1
        place = document.keys.get(path[:steps]) or document.values.get(path[:steps])
    return Issue(
        file=document.file,
        line=place.line if place else 1,
        column=place.column if place else 1,
        path=show_path(path),
        found=found,
        wanted=wanted,
        hint=hint,
    )


class _Reader:
    """Reads one document."""

    def __init__(self, document: Document) -> None:
        self.issues: list[Issue] = []
        self._document = document

    def read(self, value: Any, hint: Any, path: Path) -> Any:
        """Convert a value to a type; a broken one is blamed and becomes BROKEN."""
        kind = _strip(hint)
        if value is None and type(None) in get_args(kind):
            return None
        kind = _strip(_drop_none(kind))
        if kind is Parameter:
            return self._read_parameter(value, path)
        if isinstance(kind, type) and issubclass(kind, Struct):
            return self._read_struct(value, kind, path)
        origin = get_origin(kind)
        if origin is tuple:
            return self._read_list(value, get_args(kind)[0], path)
        if origin is dict and get_args(kind)[1] is not Any:
            key_hint, item_hint = get_args(kind)
            return self._read_mapping(value, key_hint, item_hint, path)
        return self._read_leaf(value, hint, path)

    def _blame(self, path: Path, found: str, wanted: str, hint: str | None = None, *, is_key: bool = False) -> Any:
        self.issues.append(make_issue(self._document, path, found, wanted, hint, is_key=is_key))
        return BROKEN

    def _read_leaf(self, value: Any, hint: Any, path: Path) -> Any:
        if _fits(value, hint):
            return msgspec.convert(value, hint)
        return self._blame(path, show_value(value), show_type(hint))

    def _read_list(self, value: Any, hint: Any, path: Path) -> Any:
        if not isinstance(value, list):
            return self._blame(path, show_value(value), "a list")
        read = [self.read(item, hint, (*path, index)) for index, item in enumerate(value)]
        return tuple(item for item in read if item is not BROKEN)

    def _read_mapping(self, value: Any, key_hint: Any, hint: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            return self._blame(path, show_value(value), "a mapping")
        read: dict[str, Any] = {}
        for key, item in value.items():
            is_sound = self._check_name(key, key_hint, (*path, key))
            converted = self.read(item, hint, (*path, key))
            if is_sound and converted is not BROKEN:
                read[key] = converted
        return read

    def _check_name(self, key: str, hint: Any, path: Path) -> bool:
        if _fits(key, hint):
            return True
        self._blame(path, f"the key {show_value(key)}", show_type(hint), suggest(key, ()), is_key=True)
        return False

    def read_members(self, value: dict[str, Any], kind: type[Struct], path: Path) -> dict[str, Any]:
        """Read the members of a struct; return those that are sound."""
        hints = get_type_hints(kind, include_extras=True)
        read: dict[str, Any] = {}
        for key, item in value.items():
            if key in hints:
                read[key] = self.read(item, hints[key], (*path, key))
            else:
                wanted = f"one of {list_choices(hints)}"
                self._blame((*path, key), "an unknown key", wanted, suggest(key, hints), is_key=True)
        for name in _name_required(kind):
            if name not in read:
                self._blame(path, f"no key `{name}`", f"`{name}`: {show_type(hints[name])}")
        return {name: item for name, item in read.items() if item is not BROKEN}

    def _read_struct(self, value: Any, kind: type[Struct], path: Path) -> Any:
        if not isinstance(value, dict):
            hint = "an entry with nothing to say is `{}`" if value is None else None
            return self._blame(path, show_value(value), "a mapping", hint)
        sound = self.read_members(value, kind, path)
        return kind(**sound) if _name_required(kind) <= sound.keys() else BROKEN

    def _read_parameter(self, value: Any, path: Path) -> Any:
        """Split `required` and `secret` from a parameter's schema; a list under `required` is JSON Schema's own."""
        if isinstance(value, bool):
            return Parameter(schema=value)
        if not isinstance(value, dict):
            return self._blame(path, show_value(value), "a JSON Schema: a mapping, true or false")
        ours = {key for key in ("required", "secret") if key in value and not isinstance(value[key], list)}
        flags = {key: self._read_leaf(value[key], bool, (*path, key)) for key in ours}
        schema = {key: item for key, item in value.items() if key not in ours}
        return Parameter(schema=schema, **{key: flag for key, flag in flags.items() if flag is not BROKEN})


def _fits(value: Any, hint: Any) -> bool:
    """Tell whether a value is of a type; unlike a pattern's `$`, never in spite of a line break at its end."""
    try:
        msgspec.convert(value.replace("\n", "\0") if isinstance(value, str) else value, hint)
    except msgspec.ValidationError:
        return False
    return True


def _name_required(kind: type[Struct]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(kind) if field.required}


def _strip(hint: Any) -> Any:
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    return hint


def _drop_none(kind: Any) -> Any:
    """Reduce `X | None` to X; a schema (`dict | bool`) is left as it is."""
    rest = [each for each in get_args(kind) if each is not type(None)]
    return rest[0] if type(None) in get_args(kind) and len(rest) == 1 else kind
