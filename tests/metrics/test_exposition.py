"""What Prometheus reads of what was counted."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from gateway.metrics import families
from gateway.metrics.cells import Cells
from gateway.metrics.exposition import Exposition, Reading
from gateway.metrics.meter import Meter

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def read(exposition: Exposition) -> dict[str, list[Sample]]:
    """Read all samples, by their names."""
    samples: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(exposition.write("")[0].decode()):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(sample)
    return samples


def test_histograms_are_cumulative(tmp_path: Path) -> None:
    """Over all processes; a bound counts what equals it."""
    meters = [Meter(Cells(tmp_path)) for _ in range(2)]
    for meter, seconds in zip((*meters, meters[0]), (0.001, 0.003, 99.0), strict=True):
        meter.note_answer("GET", "/x", 204, seconds)

    samples = read(Exposition(meters[0].cells, lambda: ()))

    buckets = {sample.labels["le"]: sample.value for sample in samples["gateway_http_request_seconds_bucket"]}
    assert (1, 1, 2, 2, 3) == tuple(buckets[le] for le in ("0.001", "0.0025", "0.005", "10.0", "+Inf"))
    [count], [total] = samples["gateway_http_request_seconds_count"], samples["gateway_http_request_seconds_sum"]
    assert {"method": "GET", "route": "/x", "status": "2xx"} == count.labels
    assert (3, 99.004) == (count.value, round(total.value, 6))


def test_gauges_are_those_of_the_living(tmp_path: Path) -> None:
    """Added up, or the greatest; what a dead process counted stays, what it held does not."""
    living, dead = Meter(Cells(tmp_path)), Meter(Cells(tmp_path))
    for meter, number in ((living, 2), (dead, 5)):
        meter.live()
        meter.show(families.UNDER_WAY, number)
        meter.show(families.GENERATION, number)
        meter.note_launch("a")
    exposition = Exposition(living.cells, lambda: ())
    names = ("gateway_processes", "gateway_requests_under_way", "gateway_config_generation", "gateway_launches_total")

    both = [read(exposition)[name][0].value for name in names]
    dead.cells.values[dead.cells.open((families.HEARTBEAT, ()), width=1)] -= 60
    one = [read(exposition)[name][0].value for name in names]

    assert [2, 7, 5, 2] == both
    assert [1, 2, 2, 2] == one


def test_failures_of_what_the_gateway_stands_on_are_told_apart() -> None:
    """By their kind, beside all refusals."""
    meter = Meter(Cells())
    for code in ("broker_full", "refused_params", "gateway_busy", "ledger_unavailable", "broker_full"):
        meter.note_refusal(code)

    samples = read(Exposition(meter.cells, lambda: ()))

    assert {"broker_full": 2, "ledger_unavailable": 1} == {
        each.labels["code"]: each.value for each in samples["gateway_backend_errors_total"]
    }
    assert 4 == len(samples["gateway_refusals_total"])


def test_every_metric_can_be_read_in_both_formats() -> None:
    """Each that is declared, with its help and its type, also where nothing was counted; no series names a task."""
    meter = Meter(Cells())
    meter.note_end("a", "SUCCESS", queued_s=1.5, run_s=None)
    exposition = Exposition(meter.cells, lambda: [Reading(families.DEPTH, 3, ("q",))])

    text, _ = exposition.write("")
    open_metrics, media_type = exposition.write(OPEN_METRICS)

    declared = {family.name for family in families.FAMILIES}
    assert declared == {family.name for family in text_string_to_metric_families(text.decode())}
    assert media_type.startswith("application/openmetrics-text")
    assert open_metrics.endswith(b"# EOF\n")
    assert b'gateway_queue_depth{queue="q"} 3.0' in text


def test_counters_begin_at_zero() -> None:
    """Whoever asks how much they grew must see the first."""
    samples = read(Exposition(Meter(Cells()).cells, lambda: ()))

    assert 0 == samples["gateway_uncertain_publishes_total"][0].value


ODD = ("a", 'q"uote', "back\\slash", "new\nline", "100 % {x}", "Ünïcode", "two\u2028lines", "# EOF")


class Plain:
    """What a meter and a reading hold, as prometheus-client wants it."""

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics that have series here."""
        ends = CounterMetricFamily("gateway_finished", families.FINISHED.help, labels=["task_type", "outcome"])
        waits = HistogramMetricFamily("gateway_queue_wait_seconds", families.QUEUE_WAIT.help, labels=["task_type"])
        depths = GaugeMetricFamily("gateway_queue_depth", families.DEPTH.help, labels=["queue"])
        bounds = (*map(str, families.LONG_SECONDS), "+Inf")
        for number, each in enumerate(ODD, 1):
            ends.add_metric([each, "SUCCESS"], number)
            waits.add_metric([each], [(bound, number) for bound in bounds], sum_value=number * 0.005)
            depths.add_metric([each], number)
        return iter((ends, waits, depths))


@pytest.mark.parametrize("accept", ["", OPEN_METRICS])
def test_the_text_is_that_of_prometheus_client(accept: str) -> None:
    """Line by line, whatever a label holds, and also once the numbers have changed."""
    registry = CollectorRegistry()
    registry.register(Plain())  # type: ignore[arg-type] # it has all that is called
    plain = choose_encoder(accept)[0](registry).decode()
    meter = Meter(Cells())
    exposition = Exposition(meter.cells, lambda: [Reading(families.DEPTH, n, (each,)) for n, each in enumerate(ODD, 1)])

    for number, each in enumerate(ODD, 1):
        for _ in range(number):
            exposition.write(accept)
            meter.note_end(each, "SUCCESS", queued_s=0.005, run_s=None)
    text = exposition.write(accept)[0].decode()

    names = ("gateway_finished", "gateway_queue_wait", "gateway_queue_depth")
    assert list_lines(plain, names) == list_lines(text, names)


def list_lines(text: str, names: tuple[str, ...]) -> list[str]:
    """List the lines of some metrics, sums to the microsecond."""
    lines = (
        line for line in text.split("\n") if line.removeprefix("# HELP ").removeprefix("# TYPE ").startswith(names)
    )
    return [
        f"{sample} {float(value):.6f}" if "_sum" in line else line
        for line in lines
        for sample, _, value in [line.rpartition(" ")]
    ]


def test_a_scrape_of_a_thousand_task_types_is_cheap() -> None:
    """In 20 ms of processor time at most, after the first one; prometheus-client itself takes ten times that."""
    meter = Meter(Cells())
    exposition = Exposition(meter.cells, lambda: ())
    for number in range(1000):
        meter.note_launch(f"type.{number}")
        meter.note_end(f"type.{number}", "SUCCESS", queued_s=0.2, run_s=1.5)
    exposition.write("")

    def scrape() -> float:
        meter.note_end("type.7", "SUCCESS", queued_s=0.2, run_s=1.5)
        began = time.thread_time()
        exposition.write("")
        return time.thread_time() - began

    assert min(scrape() for _ in range(10)) < 0.02


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "text/plain"),
        ("*/*", "text/plain"),
        ("text/plain; version=x", "text/plain"),
        ("application/openmetrics-text; version=1.0.0; escaping=allow-utf-8;q=0.6,text/plain", OPEN_METRICS),
        ("application/openmetrics-text; version=none", OPEN_METRICS),
    ],
)
def test_whatever_is_accepted_is_answered(accept: str, media_type: str) -> None:
    """In one of two formats; a version that is none is nobody's fault but its author's."""
    assert Exposition(Cells(), lambda: ()).write(accept)[1].startswith(media_type)
