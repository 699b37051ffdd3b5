"""The numbers of one process, in memory that the other processes of the same gateway read.

What comes in: series, and numbers that are added to them. What goes out: the numbers of all processes. With `--workers N` each
process has a place in a folder: a file of keys, and a file of numbers that it maps into its memory. A process that dies
leaves its place, and all it counted, to the one that comes after it: no sum ever falls, nothing is counted twice, and there
are never more places than there were processes at once. It is exact at any moment, as nobody has to be asked.
"""

import fcntl
import mmap
import os
from array import array
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec

CAPACITY: Final = 131_072
"""Numbers of one process; what does not fit is counted where nobody looks."""
SPARE: Final = 32
"""Where nobody looks: as many numbers as any series has."""
BYTES: Final = 8
Series = tuple[str, tuple[str, ...]]
"""The name of a metric and the values of its labels."""
_Key = tuple[str, tuple[str, ...], int]
_KEY: Final = msgspec.json.Decoder(_Key)


class Cells:
    """Numbers in rows of doubles, each row found by its series."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` is shared with other processes; without one nobody else counts."""
        self._folder = folder
        self._rows: dict[Series, tuple[int, int]] = {}
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
            return known[0]
        if self._used + width > CAPACITY:
            return 0
        if self._keys is not None:
            os.write(self._keys, msgspec.json.encode((*series, width)) + b"\n")
        return self._keep(series, width)

    def read(self) -> list[dict[Series, tuple[float, ...]]]:
        """Return the numbers of each process."""
        if self._folder is None:
            return [{series: tuple(self.values[at : at + width]) for series, (at, width) in self._rows.items()}]
        return [_read_place(path) for path in sorted(self._folder.glob("*.keys"))]

    def _keep(self, series: Series, width: int) -> int:
        at = self._used
        self._rows[series] = (at, width)
        self._used += width
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
    *lines, _ = path.read_bytes().split(b"\n")
    return [_KEY.decode(line) for line in lines]


def _read_place(path: Path) -> dict[Series, tuple[float, ...]]:
    """Read keys, then numbers: there are as many of these at least."""
    keys = _read_keys(path)
    numbers = array("d")
    with path.with_suffix(".values").open("rb") as file:
        numbers.frombytes(file.read((SPARE + sum(width for _, _, width in keys)) * BYTES))
    read: dict[Series, tuple[float, ...]] = {}
    at = SPARE
    for name, labels, width in keys:
        read[name, labels] = tuple(numbers[at : at + width])
        at += width
    return read
