"""Strict YAML: bytes in, plain data with the place of every key and value out.

It reads the events of the C parser and builds the values itself, with bounds on size, depth and number: no node is
composed, no constructor runs, nothing a file says can recurse, expand or instantiate.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from gateway.config.issues import FULL_FOUND, FULL_WANTED, MAX_ISSUES, make_issue_at
from gateway.config.scalars import Surprise, read_plain
from gateway.config.syntax import explain
from gateway.config.text import HIDDEN, MAX_DIRECTIVES, decode, find_excess, name_hidden
from gateway.config.words import show_text, show_value
from gateway.errors import Issue

MAX_DEPTH = 32
MAX_NODES = 100_000
SHOWN_STEPS = 4
Path = tuple[str | int, ...]
AGAIN = " (again)"
"""What is added to a key that stands there twice."""
MERGE_KEY = "<<"
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
    text, flaws = decode(data)
    for flaw in flaws:
        builder.blame(Place(flaw.line, flaw.column), (), flaw.found, flaw.wanted, flaw.hint)
    if text is None:
        return builder.finish()
    excess = find_excess(text)
    if excess is not None:
        builder.cut(Place(*excess), (), f"more than {MAX_DIRECTIVES} %TAG directives", "none: tags are refused")
        return builder.finish()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
            if builder.is_cut:
                break
    except yaml.YAMLError as error:
        line, column, found, wanted, hint = explain(error, text)
        builder.cut(Place(line, column), (), found, wanted, hint)
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
        self._anchors: set[str] = set()
        self.is_cut = False

    def take(self, event: Any) -> None:
        """Take in one event; sets `is_cut` when reading on makes no sense."""
        place = _place(event)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self.cut(place, (), f"more than {MAX_NODES} keys and values", "a smaller file, or a folder of several")
        elif len(self._issues) >= MAX_ISSUES:
            self.cut(place, (), FULL_FOUND, FULL_WANTED)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                hint = "remove this `---`, or make what follows a file of its own in the same folder"
                self.cut(place, (), "a second document", "one document", hint)
        elif isinstance(event, yaml.AliasEvent):
            if not self._stack or self._stack[-1].key != MERGE_KEY:  # a merge key has been blamed already
                hint = _SHARE if event.anchor in self._anchors else "quote a text that begins with `*`"
                self._blame_here(place, f"the alias *{show_text(str(event.anchor))}", "the value itself", hint)
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
                found = "an empty file" if self._root in (_MISSING, None) else show_value(self._root)
                self.blame(Place(1, 1), (), found, "a mapping with `version` and `tasks`")
            return None, self._issues
        document = Document(file=self._file, value=self._root, keys=self._keys, values=self._values)
        return (None if self.is_cut else document), self._issues

    def blame(self, place: Place, path: Path, found: str, wanted: str, hint: str | None = None) -> None:
        """Note an issue."""
        issue = make_issue_at(self._file, place.line, place.column, path, found=found, wanted=wanted, hint=hint)
        self._issues.append(issue)

    def cut(self, place: Place, path: Path, found: str, wanted: str, hint: str | None = None) -> None:
        """Note an issue after which reading on makes no sense."""
        self.is_cut = True
        self.blame(place, path, found, wanted, hint)

    def _open(self, event: Any, place: Place) -> None:
        self._check_node(event, place)
        container: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        if self._is_at_key():
            hint = "quote a text that begins with a bracket; has a template not been filled in?"
            self.cut(place, self._stack[-1].path, "a key that is a list or a mapping", "a string", hint)
            return
        path = self._put(container, place)
        self._stack.append(_Frame(container, path))
        if len(self._stack) > MAX_DEPTH:
            self.cut(place, path[:SHOWN_STEPS], f"more than {MAX_DEPTH} levels of nesting", "a flatter value")

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
            self.blame(place, frame.path, f"the key {shown}, which is not a string", f'one in quotes, "{shown}"')
            key = shown
        path = (*frame.path, key)
        if key == MERGE_KEY:
            self.blame(place, frame.path, "a merge key", "the keys themselves", _SHARE)
        if path in self._keys:
            first = self._keys[path]
            self.blame(place, path, "the same key again", f"each key once; the first is at {first.line}:{first.column}")
            key += AGAIN  # its value is read beside the first one, to find what is wrong with it too
        self._keys[*frame.path, key] = place
        frame.key = key

    def _read_scalar(self, event: Any, place: Place) -> Any:
        text: str = event.value
        found = HIDDEN.search(text)
        if found is not None:
            self._blame_here(place, name_hidden(found[0]), "characters that an editor shows")
            return HIDDEN.sub("", text)
        if event.style:  # quoted or block: what is written is what is meant
            return text
        value = read_plain(text)
        if not isinstance(value, Surprise):
            return value
        if text == MERGE_KEY and self._is_at_key():
            return text  # blamed as what it is there
        self._blame_here(place, value.found, value.wanted)
        return text

    def _check_node(self, event: Any, place: Place) -> None:
        if event.anchor is not None:
            self._anchors.add(event.anchor)
            self._blame_here(place, f"the anchor &{show_text(event.anchor)}", "the value itself", _SHARE)
        if event.tag is not None:
            tag = _shorten_tag(event.tag)
            hint = None if tag.startswith("!!") else "quote a text that begins with `!`"
            self._blame_here(place, f"the tag {tag}", "a value without a tag", hint)

    def _blame_here(self, place: Place, found: str, wanted: str, hint: str | None = None) -> None:
        frame = self._stack[-1] if self._stack else None
        path: Path = ()
        if frame is not None:
            is_valued = isinstance(frame.container, dict) and frame.key is not _MISSING
            path = (*frame.path, frame.key) if is_valued else frame.path
            if isinstance(frame.container, list):
                path = (*frame.path, len(frame.container))
        self.blame(place, path, found, wanted, hint)


_SHARE = "share a schema under `schemas` and `$ref`, an option under `defaults`"


def _shorten_tag(tag: str) -> str:
    return show_text(tag.replace("tag:yaml.org,2002:", "!!"))


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)
