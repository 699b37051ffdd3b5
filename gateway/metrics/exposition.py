"""What Prometheus reads: the cells of all processes added up, and what is seen of the deployment at that moment.

What comes in: cells and readings. What goes out: text in the format that was asked for.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import monotonic
from typing import Final

from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gateway.metrics.cells import Cells, Series
from gateway.metrics.families import ALIVE, FAMILIES, HEARTBEAT, Family

DEAD_S: Final = 5.0
"""A process that has said nothing for so long has no gauges any more; what it counted stays."""
Row = tuple[float, ...]
Table = defaultdict[str, dict[tuple[str, ...], Row]]
"""Metrics by name, and their rows by labels."""


class Reading(Struct, frozen=True):
    """One number of the whole deployment."""

    family: Family
    value: float
    labels: tuple[str, ...] = ()


class Exposition(Collector):
    """Shows everything that is counted and seen."""

    def __init__(self, cells: Cells, look: Callable[[], Iterable[Reading]]) -> None:
        """`look` tells what is seen of the deployment, from memory and from any thread."""
        self._cells = cells
        self._look = look
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def write(self, accept: str) -> tuple[bytes, str]:
        """Write all metrics in a format that is accepted; return the text and its media type."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type

    def describe(self) -> list[Metric]:
        """Tell the registry no names beforehand, which would be all of `collect`."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, those without a series too."""
        processes = self._cells.read()
        living = [each for each in processes if _is_alive(each)]
        counted = _add(processes, sum)
        gauges = {"sum": _add(living, sum), "most": _add(living, max), "seen": self._see(len(living))}
        for family in FAMILIES:
            yield _write(family, gauges.get(family.kind, counted)[family.name])

    def _see(self, living: int) -> Table:
        seen: Table = defaultdict(dict)
        seen[ALIVE.name][()] = (float(living),)
        for reading in self._look():
            seen[reading.family.name][reading.labels] = (reading.value,)
        return seen


def _is_alive(process: dict[Series, Row]) -> bool:
    return monotonic() - process.get((HEARTBEAT, ()), (0.0,))[0] < DEAD_S


def _add(processes: Sequence[dict[Series, Row]], join: Callable[[Iterable[float]], float]) -> Table:
    found: defaultdict[Series, list[Row]] = defaultdict(list)
    for process in processes:
        for series, row in process.items():
            found[series].append(row)
    added: Table = defaultdict(dict)
    for (name, labels), rows in found.items():
        added[name][labels] = rows[0] if len(rows) == 1 else tuple(join(each) for each in zip(*rows, strict=True))
    return added


def _write(family: Family, rows: dict[tuple[str, ...], Row]) -> Metric:
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for labels, row in rows.items():
            histogram.add_metric(labels, _accumulate(family, row), sum_value=row[-1])
        return histogram
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.labels)
    for labels, row in rows.items():
        metric.add_metric(labels, row[0])
    return metric


def _accumulate(family: Family, row: Row) -> list[tuple[str, float]]:
    total, buckets = 0.0, []
    for bound, number in zip((*map(str, family.bounds), "+Inf"), row[:-1], strict=True):
        total += number
        buckets.append((bound, total))
    return buckets
