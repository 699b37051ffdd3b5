"""Spans of requests, and of the messages that they cause, by OpenTelemetry's SDK.

What comes in: what the entrance sees. What goes out: spans, to a queue that a thread of the SDK empties; never a wait, and
never a path, a query, a header or a value of a caller.
Source: OpenTelemetry semantic conventions for HTTP and messaging spans.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    set_span_in_context,
)

from gateway.launch.trace import Trace, read_trace
from gateway.web.entrance import FAILED, UNMATCHED, Seen
from gateway.web.visit import WAITING

CLOSE_S: Final = 2.0


class SpanTracer:
    """Makes a span of each request."""

    def __init__(self, exporters: Sequence[SpanExporter], *, names: Mapping[str, str]) -> None:
        """Take where spans go; `names` are the variables, which name the service unless we do."""
        is_named = names.get("OTEL_SERVICE_NAME") or "service.name=" in names.get("OTEL_RESOURCE_ATTRIBUTES", "")
        resource = Resource.create({} if is_named else {"service.name": "task-gateway"})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        for exporter in exporters:
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("gateway")

    def begin(self, trace: Trace | None, *, method: str) -> "RequestSpan":
        """Begin the span of a request."""
        context = Context() if trace is None else _make_context(trace)
        attributes = {"http.request.method": method}
        span = self._tracer.start_span(method, context=context, kind=SpanKind.SERVER, attributes=attributes)
        return RequestSpan(span, self._tracer)

    def close(self) -> None:
        """Send what is left, as far as somebody takes it in time; the exporter itself may wait for half a minute."""
        closing = Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_S)


class RequestSpan:
    """The span of one request, and above those of its messages."""

    __slots__ = ("_span", "_tracer")

    def __init__(self, span: Span, tracer: Tracer) -> None:
        self._span = span
        self._tracer = tracer

    @contextmanager
    def publish(self, task_type: str | None) -> Iterator[Trace | None]:
        """Span a publish, of one message or many; what it gives is the trace of its messages."""
        attributes = {
            "messaging.system": "celery",
            "messaging.operation.type": "send",
            "messaging.operation.name": "send",
        }
        if task_type is not None:
            attributes["gateway.task_type"] = task_type
        name = "send" if task_type is None else f"send {task_type}"
        context = set_span_in_context(self._span, Context())
        span = self._tracer.start_span(name, context=context, kind=SpanKind.PRODUCER, attributes=attributes)
        try:
            yield _write_trace(span.get_span_context())
        except Exception as error:
            _fail(span, getattr(error, "code", type(error).__name__))
            raise
        finally:
            span.end()

    def end(self, seen: Seen) -> None:
        """Say what became of the request."""
        span, route = self._span, seen.route.removesuffix(WAITING)
        if route != UNMATCHED:
            span.update_name(f"{seen.method} {route}")
            span.set_attribute("http.route", route)
        span.set_attribute("http.response.status_code", seen.status)
        span.set_attribute("gateway.request_id", seen.request_id)
        if seen.task_id is not None:
            span.set_attribute("gateway.task_id", seen.task_id)
        if seen.status >= FAILED:
            _fail(span, seen.code or str(seen.status))
        span.end()


def _fail(span: Span, error_type: str) -> None:
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR)


def _make_context(trace: Trace) -> Context:
    _, trace_id, span_id, flags = trace.parent.split("-")
    above = SpanContext(
        trace_id=int(trace_id, 16),
        span_id=int(span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16)),
        trace_state=TraceState.from_header([trace.state]) if trace.state else None,
    )
    return set_span_in_context(NonRecordingSpan(above), Context())


def _write_trace(context: SpanContext) -> Trace | None:
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    return read_trace(parent.encode(), context.trace_state.to_header().encode())
