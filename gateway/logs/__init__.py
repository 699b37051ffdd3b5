"""Logs: a fixed event name and its fields, one line each; JSON when nobody watches on a terminal.

Nobody who logs ever waits for whoever reads: all lines of a process leave by one thread.
"""

import logging
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from gateway.logs.requests import RequestLog
from gateway.logs.writer import LineWriter

__all__ = ["RequestLog", "configure_logs"]

_TRACEBACKS = ExceptionDictTransformer(show_locals=False)
"""structlog's own show the variables of every frame: what a task was launched with would be in the log with every bug."""


def configure_logs(*, level: str, style: str) -> RequestLog | None:
    """Send every log of the process, the libraries' included, through one formatter to standard error.

    Shape: `level` is one of debug, info, warning, error; `style` is auto, json or text. What comes back writes a line for
        each request; None where the level leaves these out.
    """
    is_json = style == "json" or (style == "auto" and not sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = (
        [structlog.processors.ExceptionRenderer(_TRACEBACKS), structlog.processors.JSONRenderer()]
        if is_json
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    writer = LineWriter(sys.stderr.fileno(), write_loss=lambda count: _write_loss(count, last))
    handler = logging.StreamHandler(writer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("uvicorn.access", "kombu", "amqp"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if not logging.getLogger("gateway.requests").isEnabledFor(logging.INFO):
        return None
    return RequestLog(writer, is_json=is_json)


def _write_loss(count: int, renderers: Sequence[Callable[..., Any]]) -> bytes:
    """Write the line that says how many are missing; it takes the way of no other, which may be full again."""
    line: Any = {
        "event": "log_lines_dropped",
        "count": count,
        "level": "warning",
        "logger": "gateway.logs",
        "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }
    for render in renderers:
        line = render(None, "warning", line)
    return f"{line}\n".encode()
