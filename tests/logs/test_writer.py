"""Lines leave by a thread of their own: whoever logs never waits for whoever reads."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import msgspec
import pytest

from gateway.logs.writer import LineWriter

SIGN = b"log_lines_dropped"
LINE = b'{"event":"request"}' + b" " * 1000 + b"\n"


WRITING = """
import sys
from gateway.logs import configure_logs
writer = configure_logs(level="info", style=sys.argv[1]).writer
writer.put(b"x" * writer._max_held_bytes + b"\\n")
writer.put(b"after\\n")
"""


def write_loss(count: int) -> bytes:
    """Say how many lines are missing."""
    return b'{"event":"log_lines_dropped","count":%d}\n' % count


class Pipe:
    """A pipe of which somebody reads when it likes."""

    def __init__(self) -> None:
        self.reads, self.writes = os.pipe()

    def read_all(self, count: int) -> tuple[list[bytes], int]:
        """Read until so many lines have come, or were said to be dropped; return those that came, and how many were not."""
        read, lines, dropped = b"", [], 0
        while len(lines) + dropped < count:
            read += os.read(self.reads, 65536)
            *whole, read = read.split(b"\n")
            dropped += sum(msgspec.json.decode(line)["count"] for line in whole if SIGN in line)
            lines += [line for line in whole if SIGN not in line]
        return lines, dropped


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe."""
    pipe = Pipe()
    yield pipe
    os.close(pipe.reads)


@pytest.mark.timeout(10)
def test_nobody_waits_for_a_reader_that_is_slow(pipe: Pipe) -> None:
    """What it does not take is dropped, counted, and said as soon as it reads again; what it takes is whole."""
    writer = LineWriter(pipe.writes, write_loss=write_loss, max_held_bytes=200 * len(LINE))
    began = time.perf_counter()
    for _ in range(10_000):
        writer.put(LINE)
    put_s = time.perf_counter() - began

    lines, dropped = pipe.read_all(10_000)
    writer.put(b"after\n")
    after, _ = pipe.read_all(1)

    assert put_s < 1
    assert 0 < dropped == writer.dropped
    assert {LINE.rstrip(b"\n")} == set(lines)
    assert [b"after"] == after


def test_a_reader_that_left_harms_nobody(pipe: Pipe) -> None:
    """A closed pipe drops lines, as there is nowhere to complain."""
    writer = LineWriter(pipe.writes, write_loss=write_loss)
    os.close(pipe.reads)

    writer.put(LINE * 3)
    writer.close()

    assert 3 == writer.dropped
    pipe.reads = pipe.writes


@pytest.mark.parametrize(
    ("style", "sign"),
    [
        ("json", r'\A\{"event": "log_lines_dropped", "count": 1, "level": "warning", "logger": "gateway.logs", "timestamp": "[^"]+Z"\}\Z'),
        ("text", r"\A\S+Z \[warning  *\] log_lines_dropped  *\[gateway.logs\] count=1\Z"),
    ],
)  # fmt: skip
def test_a_loss_is_told_as_everything_else_is(style: str, sign: str) -> None:
    """As JSON among JSON, as text among text."""
    argv = [sys.executable, "-c", WRITING, style]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True).stderr.splitlines()

    assert re.match(sign, lines[-1]), lines[-1]
    assert "after" == lines[-2]
