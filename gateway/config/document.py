"""Strict YAML: bytes in, plain data with the place of every key and value out.

It reads the events of the C parser and builds the values itself, with bounds on size, depth and number: no node is
composed, no constructor runs, nothing a file says can recurse, expand or instantiate.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from gateway.config.scalars import Surprise, read_plain
from gateway.config.words import show_path
from gateway.errors import Issue

MAX_BYTES = 1_048_576
MAX_DEPTH = 32
MAX_ISSUES = 100
MAX_NODES = 100_000
SHOWN_STEPS = 4
Path = tuple[str | int, ...]
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_MISSING: Any = object()


class Place(Struct, frozen=True):
    """Where something stands; both count from 1, columns in characters."""

    line: int
    column: int


class Document(Struct, frozen=True, kw_only=True):
    """One file as plain data."""

    file: str
    value: dict[str, Any]
    keys: Mapping[Path, Place]
    """The place of each mapping key, by the path of its value."""
    values: Mapping[Path, Place]
    """The place of each value."""


class _Frame:
    """A mapping or a sequence under construction."""

    def __init__(self, container: Any, path: Path) -> None:
        self.container = container
        self.path = path
        self.key: Any = _MISSING


def parse(data: bytes, *, file: str) -> tuple[Document | None, list[Issue]]:
    """Parse one file: its document, None when nothing can be read on from, and every issue of its YAML."""
    builder = _Builder(file)
    text = _decode(data, builder)
    if text is None:
        return builder.finish()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
            if builder.is_cut:
                break
    except yaml.MarkedYAMLError as error:
        builder.blame_syntax(error)
    except yaml.YAMLError:
        builder.is_cut = True
        builder.blame(Place(1, 1), (), "something that is not YAML", "a YAML mapping")
    return builder.finish()


class _Builder:
    """Builds the document event by event, on a stack of its own."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._issues: list[Issue] = []
        self._stack: list[_Frame] = []
        self._root: Any = _MISSING
        self._keys: dict[Path, Place] = {}
        self._values: dict[Path, Place] = {}
        self._documents = 0
        self._nodes = 0
        self.is_cut = False

    def take(self, event: Any) -> None:
        """Take in one event; sets `is_cut` when reading on makes no sense."""
        place = _place(event)
        self._nodes += 1
        if self._nodes > MAX_NODES or len(self._issues) >= MAX_ISSUES:
            self._cut(place, (), f"more than {MAX_NODES} nodes or {MAX_ISSUES} issues", "a smaller file")
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._cut(place, (), "a second document", "one document")
        elif isinstance(event, yaml.AliasEvent):
            self._blame_here(place, f"the alias *{event.anchor}", *_NO_ALIAS)
            self._put(None, place)
        elif isinstance(event, yaml.ScalarEvent):
            self._check_node(event, place)
            self._put(self._read_scalar(event, place), place)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open(event, place)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._stack.pop()

    def finish(self) -> tuple[Document | None, list[Issue]]:
        """Return the document and its issues."""
        if not isinstance(self._root, dict):
            if not self._issues:
                found = "an empty file" if self._root in (_MISSING, None) else "no mapping"
                self.blame(Place(1, 1), (), found, "a mapping with `version` and `tasks`")
            return None, self._issues
        document = Document(file=self._file, value=self._root, keys=self._keys, values=self._values)
        return (None if self.is_cut else document), self._issues

    def blame(self, place: Place, path: Path, found: str, wanted: str, hint: str | None = None) -> None:
        """Note an issue."""
        self._issues.append(
            Issue(
                file=self._file,
                line=place.line,
                column=place.column,
                path=show_path(path),
                found=found,
                wanted=wanted,
                hint=hint,
            )
        )

    def blame_syntax(self, error: yaml.MarkedYAMLError) -> None:
        """Note what libyaml says of a file that it cannot scan to its end."""
        self.is_cut = True
        is_open = (error.context or "").startswith(("while parsing a flow", "while scanning a quoted"))
        mark = error.context_mark if is_open else error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        words = " ".join(part for part in (error.context, error.problem) if part)
        hint = next((hint for part, hint in _SYNTAX_HINTS.items() if part in words), None)
        self.blame(place, (), f"broken YAML: {_FORBIDDEN.sub('?', words)}", "well-formed YAML", hint)

    def _open(self, event: Any, place: Place) -> None:
        self._check_node(event, place)
        container: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        if self._is_at_key():
            self._cut(place, self._stack[-1].path, "a key that is a collection", "a string")
            return
        path = self._put(container, place)
        self._stack.append(_Frame(container, path))
        if len(self._stack) > MAX_DEPTH:
            self._cut(place, path[:SHOWN_STEPS], f"more than {MAX_DEPTH} levels of nesting", "fewer")

    def _cut(self, place: Place, path: Path, found: str, wanted: str) -> None:
        self.is_cut = True
        self.blame(place, path, found, wanted)

    def _is_at_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].container, dict) and self._stack[-1].key is _MISSING

    def _put(self, value: Any, place: Place) -> Path:
        """Put a value where it belongs; a scalar in a key's position becomes the pending key."""
        if not self._stack:
            self._root = value
            return ()
        frame = self._stack[-1]
        if isinstance(frame.container, list):
            path = (*frame.path, len(frame.container))
            frame.container.append(value)
        elif frame.key is _MISSING:
            self._take_key(frame, value, place)
            return frame.path
        else:
            path = (*frame.path, frame.key)
            frame.container[frame.key] = value
            frame.key = _MISSING
        self._values[path] = place
        return path

    def _take_key(self, frame: _Frame, key: Any, place: Place) -> None:
        if not isinstance(key, str):
            shown = msgspec.json.encode(key).decode()
            self.blame(place, frame.path, f"the key {shown}, which is not a string", "a quoted key")
            key = shown
        path = (*frame.path, key)
        if key == "<<":
            self.blame(place, frame.path, "a merge key", *_NO_ALIAS)
        if path in self._keys:
            first = self._keys[path]
            self.blame(place, path, "the same key again", f"one; the first is in line {first.line}")
            key += " (again)"  # its value is read beside the first one, to find what is wrong with it too
        self._keys[*frame.path, key] = place
        frame.key = key

    def _read_scalar(self, event: Any, place: Place) -> Any:
        text: str = event.value
        found = _FORBIDDEN.search(text)
        if found is not None:
            self._blame_here(place, f"the character U+{ord(found[0]):04X}", "visible characters")
            return _FORBIDDEN.sub("?", text)
        if event.style:  # quoted or block: what is written is what is meant
            return text
        value = read_plain(text)
        if not isinstance(value, Surprise):
            return value
        self._blame_here(place, value.found, value.wanted)
        return text

    def _check_node(self, event: Any, place: Place) -> None:
        if event.anchor is not None:
            self._blame_here(place, f"the anchor &{event.anchor}", *_NO_ALIAS)
        if event.tag is not None:
            self._blame_here(place, f"the tag {_shorten_tag(event.tag)}", "a value without a tag")

    def _blame_here(self, place: Place, found: str, wanted: str, hint: str | None = None) -> None:
        frame = self._stack[-1] if self._stack else None
        path: Path = ()
        if frame is not None:
            is_valued = isinstance(frame.container, dict) and frame.key is not _MISSING
            path = (*frame.path, frame.key) if is_valued else frame.path
            if isinstance(frame.container, list):
                path = (*frame.path, len(frame.container))
        self.blame(place, path, found, wanted, hint)


_SYNTAX_HINTS = {
    "mapping values are not allowed": "quote a text that holds a colon and a space",
    "cannot start any token": "indent with spaces, and quote a text that begins with a special character",
    "while parsing a flow": "is a bracket left open?",
    "while scanning a quoted": "is a quote left open?",
    "could not find expected ':'": "is a colon, or the space after it, missing?",
    "did not find expected key": "is the indentation right?",
}
_NO_ALIAS = ("the value itself", "share a schema under `schemas` and `$ref`, an option under `defaults`")


def _decode(data: bytes, builder: _Builder) -> str | None:
    if len(data) > MAX_BYTES:
        builder.blame(Place(1, 1), (), "more than 1 MiB", "a smaller file, or a folder of several")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        builder.blame(Place(*_count(data[: error.start])), (), "bytes that are not UTF-8", "UTF-8")
        return None


def _count(before: bytes) -> tuple[int, int]:
    line = before.count(b"\n") + 1
    return line, len(before.rpartition(b"\n")[2].decode(errors="replace")) + 1


def _shorten_tag(tag: str) -> str:
    return _FORBIDDEN.sub("?", tag.replace("tag:yaml.org,2002:", "!!"))[:80]


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)
