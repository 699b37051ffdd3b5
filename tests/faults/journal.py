"""Valkey's append-only file, read as the truth about the broker: who put a message into the queue, and who took it out.

What comes in: the folder of a Valkey that never rewrote its file. What goes out: for each task, how often a gateway
pushed it and sent it again, how often a worker put it back, and whether one took it. Source: Redis documentation, "AOF".
"""

import json
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct


class Journal(Struct, frozen=True, kw_only=True):
    """What became of the messages of a queue."""

    pushed: Counter[str]
    """By a gateway: together with a ledger row."""
    resent: Counter[str]
    """By a gateway again: together with what is noted of its run."""
    restored: Counter[str]
    """By a worker that had taken it, or in its name."""
    taken: frozenset[str]


def read_journal(folder: Path, queue: str) -> Journal:
    """Play the file through."""
    pushed: Counter[str] = Counter()
    resent: Counter[str] = Counter()
    restored: Counter[str] = Counter()
    taken: set[str] = set()
    waiting: deque[str] = deque()
    for step in _read_steps(folder):
        written = {part for each in step if each[0] == b"SET" for part in (b":task:", b":run:") if part in each[1]}
        counted = pushed if b":task:" in written else resent if b":run:" in written else restored
        for command in step:
            word, key = command[0].upper(), command[1:2]
            if key != [queue.encode()]:
                continue
            if word in {b"LPUSH", b"RPUSH"}:
                ids = [json.loads(each)["headers"]["id"] for each in command[2:]]
                counted.update(ids)
                waiting.extendleft(ids) if word == b"LPUSH" else waiting.extend(ids)
            elif word == b"RPOP":
                taken.add(waiting.pop())
    return Journal(pushed=pushed, resent=resent, restored=restored, taken=frozenset(taken))


def _read_steps(folder: Path) -> Iterator[list[list[bytes]]]:
    """Group the commands: what stands between MULTI and EXEC is one step, as is every other command."""
    step: list[list[bytes]] | None = None
    for command in _read_commands(folder):
        word = command[0].upper()
        if word == b"MULTI":
            step = []
        elif word == b"EXEC":
            yield step or []
            step = None
        elif step is None:
            yield [command]
        else:
            step.append(command)


def _read_commands(folder: Path) -> Iterator[list[bytes]]:
    for file in sorted(folder.glob("appendonlydir/*.incr.aof"), key=lambda path: int(path.name.split(".")[-3])):
        data = file.read_bytes()
        at = 0
        while at < len(data):
            if data[at : at + 1] == b"#":  # a remark about the time
                at = data.index(b"\n", at) + 1
                continue
            command, at = _read_command(data, at)
            yield command


def _read_command(data: bytes, at: int) -> tuple[list[bytes], int]:
    end = data.index(b"\r\n", at)
    count, at = int(data[at + 1 : end]), end + 2
    words = []
    for _ in range(count):
        end = data.index(b"\r\n", at)
        length, at = int(data[at + 1 : end]), end + 2
        words.append(data[at : at + length])
        at += length + 2
    return words, at
