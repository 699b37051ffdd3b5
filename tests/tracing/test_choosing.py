"""Spans are made where OpenTelemetry's own variables ask for them, and nowhere else."""

import os
import subprocess
import sys
import time

import pytest
from structlog.testing import capture_logs

from gateway.errors import SettingsError
from gateway.tracing.choosing import make_tracer
from gateway.tracing.spans import CLOSE_S
from gateway.web.entrance import Seen
from tests.harness import ROOT

SEEN = Seen("id", "POST", "/launch", 503, "broker_unavailable", 0.1, None, None)
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"OTEL_SERVICE_NAME": "x"}, id="only a name"),
        pytest.param(ENDPOINT | {"OTEL_SDK_DISABLED": "True"}, id="disabled"),
        pytest.param(ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, id="no exporter"),
    ],
)
def test_no_tracer_is_made_where_none_is_asked_for(environ: dict[str, str]) -> None:
    """Though the SDK is installed."""
    assert make_tracer(environ) is None


def test_no_part_that_makes_spans_is_imported_for_nobody() -> None:
    """Not by the whole of what serves; redis-py takes what it measures with, if it is there."""
    code = "import sys, gateway.runtime; print([each for each in sys.modules if each.startswith('opentelemetry.sdk.trace')])"

    assert (
        "[]" == subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    )


def test_without_the_sdk_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And everything else is served."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    with capture_logs() as lines:
        tracer = make_tracer(ENDPOINT)

    assert tracer is None
    assert [("tracing_missing", "warning")] == [(line["event"], line["log_level"]) for line in lines]


def test_an_exporter_that_is_not_there_is_said_at_the_start() -> None:
    """By the name under which OpenTelemetry looks for it."""
    with pytest.raises(SettingsError, match="OTEL_TRACES_EXPORTER wants otlp_proto_grpc, which is not installed"):
        make_tracer(ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})


def test_a_collector_that_is_away_holds_up_nobody() -> None:
    """Neither a request, nor the end of the process for longer than a moment."""
    code = f"from {__name__} import trace_to_nobody; trace_to_nobody()"
    # A process of its own: in this one the exporter would go on trying for half a minute, beside other tests.
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | ENDPOINT, stdout=subprocess.PIPE, text=True, check=True
    )
    ended_at = time.monotonic()  # by a clock that all processes share
    made_s, closing_at = map(float, told.stdout.split())

    assert made_s < 5
    assert ended_at - closing_at < CLOSE_S + 2


def trace_to_nobody() -> None:
    """Make spans, and end; tell how long the first took, and when the second began."""
    tracer = make_tracer(os.environ)
    assert tracer is not None
    began = time.monotonic()
    for _ in range(5000):
        span = tracer.begin(None, method="POST")
        with span.publish("a.b") as trace:
            assert trace is not None
        span.end(SEEN)
    closing_at = time.monotonic()
    sys.stdout.write(f"{closing_at - began} {closing_at}")
    tracer.close()
