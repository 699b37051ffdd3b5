"""What shares a round trip: as many of those who wait, in their order, as fit into one. Pure."""

from collections import deque
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def take_together(waiting: deque[T], measure: Callable[[T], int], *, most: int) -> list[T]:
    """Take from the head of a queue what measures no more than `most` together, but one at least."""
    number = size = 0
    for each in waiting:
        size += measure(each)
        if size > most and number:
            break
        number += 1
    return [waiting.popleft() for _ in range(number)]
