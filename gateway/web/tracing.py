"""The trace of a request: what its caller named is passed on to what it launches."""

from gateway.launch.trace import Trace
from gateway.web.answers import Scope
from gateway.web.facts import TRACE


def choose_trace(scope: Scope) -> Trace | None:
    """Choose the trace that the messages of a request belong to."""
    trace: Trace | None = scope.get(TRACE)
    return trace
