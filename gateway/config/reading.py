"""From plain data to the model: struct by struct, key by key, so that no mistake hides another.

What comes in: documents. What goes out: a `Config` of all that is sound, and every issue of the rest. The structs of
`model` alone say what a file may hold.
"""

from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct, inspect

from gateway.config.document import Document, Path
from gateway.config.issues import MAX_ISSUES, make_issue_at
from gateway.config.model import Execution, Parameter, Schema, TasksFile, TaskSpec
from gateway.config.scalars import read_plain
from gateway.config.words import list_choices, name_odd_character, show_path, show_type, show_value, suggest
from gateway.errors import Issue

BROKEN: Any = object()
"""Stands for a value that has been blamed already."""
_ELSEWHERE = (TasksFile, Execution)
"""Where a task type's key is found that belongs further down."""


def read_file(document: Document) -> tuple[TasksFile, list[Issue]]:
    """Read one document into the model; what is broken is left out, and is among the issues.

    Shape: with more than `MAX_ISSUES` issues reading stopped there.
    """
    reader = _Reader(document)
    sound = reader.read_members(document.value, TasksFile, ())
    complete: dict[str, Any] = {"version": 1, "tasks": {}} | sound
    return TasksFile(**complete), reader.issues


def make_issue(
    document: Document, path: Path, found: str, wanted: str, hint: str | None = None, *, is_key: bool = False
) -> Issue:
    """Blame what stands at a path of a document, or the nearest thing above it that is written there.

    Shape: what a task type takes from the `defaults` of its file is blamed there.
    """
    path = _find_origin(document, path)
    place = document.keys.get(path) if is_key else document.values.get(path)
    steps = len(path)
    while place is None and steps:
        steps -= 1
        place = document.keys.get(path[:steps]) or document.values.get(path[:steps])
    line, column = (place.line, place.column) if place else (1, 1)
    return make_issue_at(document.file, line, column, path, found=found, wanted=wanted, hint=hint)


class _Reader:
    """Reads one document."""

    def __init__(self, document: Document) -> None:
        self.issues: list[Issue] = []
        self._document = document

    def read(self, value: Any, hint: Any, path: Path) -> Any:
        """Convert a value to a type; a broken one is blamed and becomes BROKEN."""
        kind = _strip(_drop_none(_strip(hint)))
        if kind is Parameter:
            return self._read_parameter(value, path)
        if kind == Schema:
            return self._read_schema(value, path)
        if isinstance(kind, type) and issubclass(kind, Struct):
            return self._read_struct(value, kind, path)
        origin = get_origin(kind)
        if origin is tuple:
            return self._read_list(value, get_args(kind)[0], path, longest=_find_longest(hint))
        if origin is dict and get_args(kind)[1] is not Any:
            key_hint, item_hint = get_args(kind)
            return self._read_mapping(value, key_hint, item_hint, path)
        return self._read_leaf(value, hint, path)

    def _blame(self, path: Path, found: str, wanted: str, hint: str | None = None, *, is_key: bool = False) -> Any:
        self.issues.append(make_issue(self._document, path, found, wanted, hint, is_key=is_key))
        return BROKEN

    def _is_full(self) -> bool:
        return len(self.issues) > MAX_ISSUES

    def _read_leaf(self, value: Any, hint: Any, path: Path) -> Any:
        if value is None and type(None) in get_args(_strip(hint)):
            return self._blame(path, "null", show_type(hint), "leave the key out to say nothing")
        if _fits(value, hint):
            return msgspec.convert(value, hint)
        return self._blame(path, show_value(value), show_type(hint), _suggest(value, hint))

    def _read_list(self, value: Any, hint: Any, path: Path, *, longest: int | None) -> Any:
        if not isinstance(value, list):
            near = "an empty one is `[]`" if value is None else None
            return self._blame(path, show_value(value), "a list", near)
        if longest is not None and len(value) > longest:
            self._blame((*path, longest), f"{len(value)} items", f"at most {longest}")
        read = [self.read(item, hint, (*path, index)) for index, item in enumerate(value[:longest])]
        return tuple(item for item in read if item is not BROKEN)

    def _read_mapping(self, value: Any, key_hint: Any, hint: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            return self._blame(path, show_value(value), "a mapping", _suggest_empty(value))
        read: dict[str, Any] = {}
        for key, item in value.items():
            if self._is_full():
                break
            is_sound = self._check_name(key, key_hint, (*path, key))
            converted = self.read(item, hint, (*path, key))
            if hint == Schema:
                # A schema that was blamed is still there for those who refer to it.
                read[key] = True if converted is BROKEN else converted
            elif is_sound and converted is not BROKEN:
                read[key] = converted
        return read

    def _check_name(self, key: str, hint: Any, path: Path) -> bool:
        if _fits(key, hint):
            return True
        self._blame(path, f"the key {show_value(key)}", show_type(hint), suggest(key, ()), is_key=True)
        return False

    def read_members(self, value: dict[str, Any], kind: type[Struct], path: Path) -> dict[str, Any]:
        """Read the members of a struct; return those that are sound."""
        hints = _find_hints(kind)
        read: dict[str, Any] = {}
        for key, item in value.items():
            if self._is_full():
                break
            if key in hints:
                read[key] = self.read(item, hints[key], (*path, key))
            else:
                near = _suggest_key(key, kind)
                wanted = f"one of {list_choices(hints) if near else ', '.join(sorted(hints))}"
                self._blame((*path, key), "an unknown key", wanted, near, is_key=True)
        for name in _name_required(kind):
            if name not in read:
                self._blame(path, f"no key `{name}`", f"`{name}`: {show_type(hints[name])}")
        return {name: item for name, item in read.items() if item is not BROKEN}

    def _read_struct(self, value: Any, kind: type[Struct], path: Path) -> Any:
        if not isinstance(value, dict):
            return self._blame(path, show_value(value), "a mapping", _suggest_empty(value))
        known = len(self.issues)
        sound = self.read_members(value, kind, path)
        if kind is TaskSpec and any(self._is_about_parameters(issue, path) for issue in self.issues[known:]):
            # What is said about parameters that are not known cannot be judged.
            sound = {name: item for name, item in sound.items() if name not in {"rules", "examples"}}
        return kind(**sound) if _name_required(kind) <= sound.keys() else BROKEN

    def _is_about_parameters(self, issue: Issue, path: Path) -> bool:
        return f"{issue.path}.".startswith(f"{show_path((*path, 'parameters'))}.")

    def _read_schema(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict | bool):
            return value
        hint = "`{}` takes anything" if value is None else None
        return self._blame(path, show_value(value), "a JSON Schema: a mapping, true or false", hint)

    def _read_parameter(self, value: Any, path: Path) -> Any:
        """Split `required` and `secret` from a parameter's schema; a list under `required` is JSON Schema's own."""
        schema = self._read_schema(value, path)
        if not isinstance(schema, dict):
            return schema if schema is BROKEN else Parameter(schema=schema)
        ours = schema.keys() & {"required", "secret"}
        if isinstance(schema.get("required"), list):
            ours -= {"required"}
        flags = {key: self._read_leaf(schema[key], bool, (*path, key)) for key in sorted(ours)}
        rest = {key: item for key, item in schema.items() if key not in ours}
        return Parameter(schema=rest, **{key: flag for key, flag in flags.items() if flag is not BROKEN})


def _find_origin(document: Document, path: Path) -> Path:
    origin = ("defaults", *path[2:])
    is_default = path[:1] == ("tasks",) and path[:3] not in document.values and origin[:2] in document.values
    return origin if is_default and len(path) > len(("tasks", "key")) else path


@cache
def _find_longest(hint: Any) -> int | None:
    """Find how many items a list may have."""
    info: Any = inspect.type_info(hint)
    while not isinstance(info, inspect.VarTupleType):
        info = info.type if isinstance(info, inspect.Metadata) else info.types[0]
    return info.max_length


@cache
def _find_hints(kind: type[Struct]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _suggest_key(key: str, kind: type[Struct]) -> str | None:
    """Suggest the near miss of an unknown key, or where it belongs."""
    if kind in _ELSEWHERE and key in _find_hints(TaskSpec):
        also = " or to `defaults`" if key in _find_hints(Execution) else ""
        return f"it belongs to a task type{also}"
    return suggest(key, _find_hints(kind))


def _suggest_empty(value: Any) -> str | None:
    return "an empty one is `{}`" if value is None else None


def _suggest(value: Any, hint: Any) -> str | None:
    """Suggest what would make a value fit: quotes, none, or another character."""
    if isinstance(value, bool | int | float):
        return "put it in quotes" if _fits(show_value(value), hint) else None
    if not isinstance(value, str):
        return None
    if "${" in value or "{{" in value:
        return "nothing is filled in here: write the value itself"
    plain = read_plain(value)
    if isinstance(plain, bool | int | float) and _fits(plain, hint):
        return "leave out the quotes"
    is_odd_alone = _fits("".join(each if each.isascii() else "x" for each in value), hint)
    return name_odd_character(value) if is_odd_alone else None


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
