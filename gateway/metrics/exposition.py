"""What Prometheus reads: the cells of all processes added up, and what is seen of the deployment at that moment.

What comes in: cells and readings. What goes out: text in the format that was asked for.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from time import monotonic
from typing import Final

from msgspec import Struct
from prometheus_client.exposition import choose_encoder

from gateway.metrics.cells import Cells, Counts, Row
from gateway.metrics.families import ALIVE, FAMILIES, HEARTBEAT, Family
from gateway.metrics.page import Page
from gateway.metrics.sums import Rows, Sums

DEAD_S: Final = 5.0
"""A process that has said nothing for so long has no gauges any more; what it counted stays."""
OPEN_METRICS: Final = "application/openmetrics-text"
FORMATS: Final = (f"{OPEN_METRICS}; version=1.0.0", "")
"""All that are written: every scraper reads one of them, and what it says beside their names is not for us to believe."""
_JOINS: Final[dict[str, Callable[[Iterable[float]], float]]] = {"sum": sum, "most": max}


class Reading(Struct, frozen=True):
    """One number of the whole deployment."""

    family: Family
    value: float
    labels: tuple[str, ...] = ()


class Exposition:
    """Shows everything that is counted and seen."""

    def __init__(self, cells: Cells, look: Callable[[], Iterable[Reading]]) -> None:
        """`look` tells what is seen of the deployment, from memory and from any thread."""
        self._cells = cells
        self._look = look
        self._sums = Sums()
        self._pages = {
            each: (Page(encode), media_type) for each in FORMATS for encode, media_type in [choose_encoder(each)]
        }
        self._lock = Lock()

    def write(self, accept: str) -> tuple[bytes, str]:
        """Write all metrics in a format that is accepted; return the text and its media type. From any thread."""
        page, media_type = self._pages[FORMATS[OPEN_METRICS not in accept]]
        with self._lock:
            processes = self._cells.read()
            counted, seen = self._sums.add_up(processes), self._see(processes)
            rows = ((family, seen.get(family.name) or counted.get(family.name, {})) for family in FAMILIES)
            return page.write(rows), media_type

    def _see(self, processes: Sequence[Counts]) -> dict[str, Rows]:
        """Tell what is no sum of all that was ever counted."""
        living = [each for each in processes if _is_alive(each)]
        seen: defaultdict[str, dict[tuple[str, ...], Row]] = defaultdict(dict)
        seen[ALIVE.name][()] = (float(len(living)),)
        for reading in self._look():
            seen[reading.family.name][reading.labels] = (float(reading.value),)
        return {**seen, **{family.name: _join(family, living) for family in FAMILIES if family.kind in _JOINS}}


def _is_alive(process: Counts) -> bool:
    return monotonic() - (process.find((HEARTBEAT, ())) or (0.0,))[0] < DEAD_S


def _join(family: Family, living: Sequence[Counts]) -> Rows:
    """Join what the living processes say of a gauge, which has no labels."""
    values = [row[0] for each in living if (row := each.find((family.name, ()))) is not None]
    return {(): (_JOINS[family.kind](values),)} if values else {}
