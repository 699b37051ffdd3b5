"""The numbers of one process, in memory that the other processes of the same gateway read.

What comes in: series, and numbers that are added to them. What goes out: the numbers of all processes. With `--workers N` each
process has a place in a folder: a file of keys, and a file of numbers that it maps into its memory. A process that dies
leaves its place, and all it counted, to the one that comes after it: no sum ever falls, nothing is counted twice, and there
are never more places than there were processes at once. It is exact at any moment, as nobody has to be asked.
"""

import fcntl
import mmap
import os
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

CAPACITY: Final = 131_072
"""Numbers of one process; what does not fit is counted where nobody looks."""
SPARE: Final = 32
"""Where nobody looks: as many numbers as any series has."""
BYTES: Final = 8
Series = tuple[str, tuple[str, ...]]
"""The name of a metric and the values of its labels."""
Row = tuple[float, ...]
"""The numbers of one series."""
_Key = tuple[str, tuple[str, ...], int]
_KEY: Final = msgspec.json.Decoder(_Key)


class Counts(Struct, frozen=True, kw_only=True):
    """The numbers of one process at a moment."""

    place: str
    spans: Mapping[Series, slice]
    """Where the numbers of each series stand, in bytes; what was there stays where it was."""
    numbers: bytes

    def find(self, series: Series) -> Row | None:
        """Return the numbers of a series, if the process has it."""
        span = self.spans.get(series)
        return None if span is None else tuple(memoryview(self.numbers)[span].cast("d"))


class Cells:
    """Numbers in rows of doubles, each row found by its series."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` is shared with other processes; without one nobody else counts."""
        self._folder = folder
        self._rows: dict[Series, int] = {}
        self._spans: dict[Series, slice] = {}
        self._places: dict[Path, _Place] = {}
        self._used = SPARE
        self._keys: int | None = None
        memory: Any = bytearray(CAPACITY * BYTES)
        if folder is not None:
            self._keys, memory = self._take_place(folder)
        self.values: memoryview[float] = memoryview(memory).cast("d")

    def open(self, series: Series, *, width: int) -> int:
        """Return where the numbers of a series begin; they are there from now on."""
        known = self._rows.get(series)
        if known is not None:
            return known
        if self._used + width > CAPACITY:
            return 0
        if self._keys is not None:
            os.write(self._keys, msgspec.json.encode((*series, width)) + b"\n")
        return self._keep(series, width)

    def read(self) -> list[Counts]:
        """Return the numbers of each process; from any thread, but not from two at once."""
        if self._folder is None:
            spans = self._spans.copy()  # in one step, as the loop goes on counting
            return [Counts(place="", spans=spans, numbers=bytes(self.values[: self._used]))]
        paths = sorted(self._folder.glob("*.keys"))
        return [self._places.setdefault(path, _Place(path)).read() for path in paths]

    def _keep(self, series: Series, width: int) -> int:
        at = self._used
        self._used += width
        self._rows[series], self._spans[series] = at, _span(at, width)
        return at

    def _take_place(self, folder: Path) -> tuple[int, mmap.mmap]:
        """Take the first place that nobody holds, and go on where whoever had it stopped."""
        number, keys = next(_try_places(folder))
        known = _read_keys(folder / f"{number}.keys")
        for name, labels, width in known:
            self._keep((name, labels), width)
        os.ftruncate(keys, sum(len(msgspec.json.encode(each)) + 1 for each in known))  # a last line may be half a one
        with (folder / f"{number}.values").open("a+b") as file:
            file.truncate(CAPACITY * BYTES)
            return keys, mmap.mmap(file.fileno(), CAPACITY * BYTES)


def _try_places(folder: Path) -> Iterator[tuple[int, int]]:
    """Yield the places that nobody holds, each with its open file of keys, which is locked as long as it is open."""
    for number in count():
        keys = os.open(folder / f"{number}.keys", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(keys, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(keys)
        else:
            yield number, keys


def _read_keys(path: Path) -> list[_Key]:
    return _split_keys(path.read_bytes())[0]


def _split_keys(text: bytes) -> tuple[list[_Key], int]:
    """Read whole lines; return their keys and how many bytes they take."""
    *lines, rest = text.split(b"\n")
    return [_KEY.decode(line) for line in lines], len(text) - len(rest)


def _span(at: int, width: int) -> slice:
    return slice(at * BYTES, (at + width) * BYTES)


class _Place:
    """The files of one process, of which whoever reads them again and again reads only the new keys."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known_bytes = 0
        self._end = SPARE
        self._spans: dict[Series, slice] = {}

    def read(self) -> Counts:
        """Read keys, then numbers: there are as many of these at least."""
        with self._path.open("rb") as file:
            file.seek(self._known_bytes)
            keys, size = _split_keys(file.read())
        self._known_bytes += size
        for name, labels, width in keys:
            self._spans[name, labels] = _span(self._end, width)
            self._end += width
        return Counts(place=self._path.stem, spans=self._spans, numbers=self._read_numbers() if self._spans else b"")

    def _read_numbers(self) -> bytes:
        with self._path.with_suffix(".values").open("rb") as file:
            return file.read(self._end * BYTES)
