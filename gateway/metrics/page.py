"""One format of the metrics: prometheus-client writes each series once, and from then on only its numbers are put in.

What comes in: metrics with their rows. What goes out: the text. The client takes a fifth of a second for a thousand task types,
in which whoever serves gets Python's lock only now and then; here a series whose numbers have not changed costs a look-up, and
any other one the writing of its numbers.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Any, Final

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from gateway.metrics.cells import Row
from gateway.metrics.families import Family
from gateway.metrics.sums import Rows, give_way

END: Final = b"# EOF\n"


class _Written(Struct, frozen=True, gc=False):
    """One series."""

    template: str
    row: Row
    text: bytes


class Page:
    """Writes one format."""

    def __init__(self, encode: Callable[[Any], bytes]) -> None:
        """`encode` is one of prometheus-client's encoders, which take a registry."""
        self._encode = encode
        self._heads: dict[str, bytes] = {}
        self._written: dict[str, dict[tuple[str, ...], _Written]] = {}
        self._end = encode(_Registry())

    def write(self, metrics: Iterable[tuple[Family, Rows]]) -> bytes:
        """Write all metrics, those without a series too."""
        return b"".join([text for family, rows in metrics for text in self._write(family, rows)]) + self._end

    def _write(self, family: Family, rows: Rows) -> Iterator[bytes]:
        if family.name not in self._heads:
            self._heads[family.name] = self._write_plainly(_make_metric(family))
        yield self._heads[family.name]
        before, now = self._written.get(family.name, {}), dict[tuple[str, ...], _Written]()
        for labels, row in give_way(rows.items()):
            written = before.get(labels)
            if written is None or written.row is not row:
                template = self._make_template(family, labels) if written is None else written.template
                written = _Written(template, row, (template % _list_values(family, row)).encode())
            now[labels] = written
            yield written.text
        self._written[family.name] = now

    def _make_template(self, family: Family, labels: tuple[str, ...]) -> str:
        """Let a series be written with zeros, and leave a place where each stands."""
        metric = _make_metric(family)
        if isinstance(metric, HistogramMetricFamily):
            metric.add_metric(labels, [(bound, 0.0) for bound in (*map(str, family.bounds), "+Inf")], sum_value=0.0)
        else:
            metric.add_metric(labels, 0.0)
        lines = self._write_plainly(metric).decode().split("\n")  # and at no other end of a line that a label may hold
        samples = (line.rpartition(" ")[0] for line in lines if line and not line.startswith("#"))
        return "".join(f"{sample.replace('%', '%%')} %r\n" for sample in samples)

    def _write_plainly(self, metric: Metric) -> bytes:
        return self._encode(_Registry(metric)).removesuffix(END)


class _Registry:
    """As much of a registry as an encoder wants."""

    def __init__(self, *metrics: Metric) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _make_metric(family: Family) -> CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily:
    return _KINDS.get(family.kind, GaugeMetricFamily)(family.name, family.help, labels=family.labels)


_KINDS: Final[dict[str, type[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]]] = {
    "counter": CounterMetricFamily,
    "histogram": HistogramMetricFamily,
}


def _list_values(family: Family, row: Row) -> Row:
    """Return the values of a series's samples: of a histogram the buckets, each with all below it, their number and the sum."""
    if family.kind != "histogram":
        return row
    buckets = tuple(accumulate(row[:-1]))
    return (*buckets, buckets[-1], row[-1])
