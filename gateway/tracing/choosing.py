"""Whether the gateway makes spans, and where they go.

What comes in: OpenTelemetry's own variables. What goes out: a tracer, or None; then nothing that makes spans is imported.
Source: OpenTelemetry, "Environment Variable Specification".
"""

import importlib.util
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final

import structlog

from gateway.errors import SettingsError

if TYPE_CHECKING:
    from gateway.tracing.spans import SpanTracer

_WANTED: Final = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""One of them asks for spans."""
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_log = structlog.get_logger("gateway.tracing")


def make_tracer(environ: Mapping[str, str]) -> "SpanTracer | None":
    """Make the tracer that the environment asks for, if it asks for one and the SDK is there.

    Raises: SettingsError when an exporter is asked for that is not installed.
    """
    if not _is_wanted(environ):
        return None
    if importlib.util.find_spec("opentelemetry") is None or importlib.util.find_spec("opentelemetry.sdk") is None:
        _log.warning("tracing_missing", advice="install task-gateway[tracing], or unset OTEL_…: no spans are made")
        return None
    from gateway.tracing.spans import SpanTracer  # noqa: PLC0415 - it needs what an extra brings

    return SpanTracer([_make_exporter(name) for name in _name_exporters(environ)], names=environ)


def _is_wanted(environ: Mapping[str, str]) -> bool:
    is_off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not is_off and any(environ.get(name) for name in _WANTED)


def _name_exporters(environ: Mapping[str, str]) -> Iterator[str]:
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), "http/protobuf")
    for name in (environ.get("OTEL_TRACES_EXPORTER") or "otlp").split(","):
        is_otlp = name.strip() == "otlp"
        yield f"otlp_proto_{protocol.partition('/')[0]}" if is_otlp else name.strip()


def _make_exporter(name: str) -> Any:
    found = [*entry_points(group="opentelemetry_traces_exporter", name=name)]
    if not found:
        raise SettingsError(f"OTEL_TRACES_EXPORTER wants {name}, which is not installed")
    return found[0].load()()
