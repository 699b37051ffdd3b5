"""Processes that count together: exactly, whoever dies meanwhile."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.metrics.cells import CAPACITY, SPARE, Cells

LAUNCHES = ("launches", ("a",))
DYING = """
import os, sys
from pathlib import Path
from gateway.metrics.cells import Cells
cells = Cells(Path(sys.argv[1]))
cells.values[cells.open(("launches", ("a",)), width=1)] += 1
os.write(cells._keys, b'["half a li')
os.kill(os.getpid(), 9)
"""


def read_sum(cells: Cells) -> float:
    """Add up what all processes counted."""
    return sum((process.find(LAUNCHES) or (0.0,))[0] for process in cells.read())


def test_every_process_sees_what_all_have_counted(tmp_path: Path) -> None:
    """At once, and whether or not it counts the same."""
    one, two, three = (Cells(tmp_path) for _ in range(3))
    one.values[one.open(LAUNCHES, width=1)] += 2
    two.values[two.open(LAUNCHES, width=1)] += 3
    row = three.open(("seconds", ("a", "b")), width=3)
    three.values[row + 2] += 0.5

    assert [5.0] * 3 == [read_sum(cells) for cells in (one, two, three)]
    assert [(0.0, 0.0, 0.5)] == [each.find(("seconds", ("a", "b"))) for each in one.read()[2:]]


def test_what_a_process_counted_outlives_it_and_is_counted_once(tmp_path: Path) -> None:
    """Ten that are killed, one after the other and in the middle of a write, leave one place and ten launches."""
    watching = Cells(tmp_path)
    for _ in range(10):
        ended = subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], check=False, timeout=20)
        assert -9 == ended.returncode

    assert 10 == read_sum(watching)
    assert 4 == len(list(tmp_path.iterdir()))


def test_alone_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process counts in its own memory."""
    monkeypatch.chdir(tmp_path)
    cells = Cells()
    cells.values[cells.open(LAUNCHES, width=1)] += 1

    assert 1 == read_sum(cells)
    assert [] == list(tmp_path.iterdir())


def test_what_does_not_fit_is_not_shown(tmp_path: Path) -> None:
    """And overwrites nothing: the memory of a process is bounded."""
    cells = Cells(tmp_path)
    first = cells.open(LAUNCHES, width=1)
    cells.open(("large", ()), width=CAPACITY - SPARE - 2)
    cells.values[first] += 1

    late = [cells.open((f"late{number}", ()), width=16) for number in range(3)]

    for at in late:
        cells.values[at + 15] += 7
    assert [0] * 3 == late
    assert {LAUNCHES, ("large", ())} == set(Cells(tmp_path).read()[0].spans)
    assert 1 == read_sum(cells)
