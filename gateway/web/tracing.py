"""What requests tell a tracer, where there is one; without one, the trace of a caller is only passed on."""

from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

from gateway.launch.trace import Trace
from gateway.web.visit import Visit

_UNTRACED: Final = nullcontext(None)


class Publishes(Protocol):
    """The span of a request, as its route sees it."""

    def publish(self, task_type: str | None) -> AbstractContextManager[Trace | None]:
        """Span a publish; what it gives is the trace of its messages."""


def publishing(visit: Visit) -> AbstractContextManager[Trace | None]:
    """Give the trace that messages of a request belong to, and span their publish."""
    span: Publishes | None = visit.span
    if span is not None:
        return span.publish(visit.task_type)
    trace = visit.trace
    return _UNTRACED if trace is None else nullcontext(trace)
