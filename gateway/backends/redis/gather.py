"""Many values in two replies: what they say is the same, but redis-py reads each reply in Python."""

from collections.abc import Sequence
from typing import Final

from gateway.backends.redis.kept import Command
from gateway.backends.redis.scripts import load_script

FEWEST: Final = 8
"""Tasks for which a script is worth it."""
MOST: Final = 500
"""Tasks of one script: Lua takes no more than some thousand keys at once."""
_GATHER: Final = load_script("gather")


def ask_values(heads: Sequence[str], task_ids: Sequence[str]) -> Command:
    """Ask for the values under each head of each task."""
    if FEWEST <= len(task_ids) <= MOST:
        return ("EVAL", _GATHER, 0, len(heads), *heads, *task_ids)
    return ("MGET", *(head + task_id for task_id in task_ids for head in heads))


def read_values(reply: list[bytes | None], task_ids: Sequence[str]) -> list[bytes | None]:
    """Read the values, task by task."""
    if not FEWEST <= len(task_ids) <= MOST:
        return reply
    lengths, joined = reply[0] or b"", reply[1] or b""
    values: list[bytes | None] = []
    at = 0
    for length in map(int, lengths.split()):
        values.append(None if length < 0 else joined[at : at + length])
        at += max(0, length)
    return values
