"""The demo's app, instrumented as OpenTelemetry's own pages say: once in each process that runs tasks."""

from celery.signals import worker_process_init
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from gateway.demo.app import app

__all__ = ["app"]


@worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator] # Celery ships no types
def start_tracing(**_: object) -> None:
    """Send each span when it ends."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    CeleryInstrumentor().instrument()
