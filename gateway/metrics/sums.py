"""The numbers of all processes added up, again only where one has changed: of a thousand task types few are at work.

What comes in: the counts of each process. What goes out: one row for each series, the same object as long as it stays the same,
so that whoever made a text of it can tell without looking.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from gateway.metrics.cells import Counts, Row, Series

AT_ONCE: Final = 32
"""Series that are looked at in one go: some 10 microseconds."""
T = TypeVar("T")
Rows = Mapping[tuple[str, ...], Row]
"""The numbers of a metric, by the values of its labels."""


class Sums:
    """Adds up."""

    def __init__(self) -> None:
        self._sums: defaultdict[str, dict[tuple[str, ...], Row]] = defaultdict(dict)
        self._before: dict[str, bytes] = {}

    def add_up(self, processes: Sequence[Counts]) -> Mapping[str, Rows]:
        """Return all sums by the name of their metric, in the order in which they were first counted."""
        for series in dict.fromkeys(series for each in processes for series in self._find_changed(each)):
            rows = [row for each in processes if (row := each.find(series)) is not None]
            name, labels = series
            self._sums[name][labels] = tuple(map(sum, zip(*rows, strict=True)))
        return self._sums

    def _find_changed(self, process: Counts) -> Iterator[Series]:
        now, before = process.numbers, self._before.get(process.place, b"")
        self._before[process.place] = now
        return (series for series, span in give_way(process.spans.items()) if now[span] != before[span])


def give_way(items: Iterable[T]) -> Iterator[T]:
    """Pass items on, and Python's lock every few of them: else the loop of whoever serves gets it only after its own time."""
    for number, item in enumerate(items):
        if number % AT_ONCE == 0:
            time.sleep(0)
        yield item
