"""What is known of a request beside its answer: one record in the ASGI scope, for whoever serves, observes or audits it.

It must not hold what holds the scope: a cycle per request is work for the collector, which stops everything for some 60 ms
every few thousand requests.
"""

from http import HTTPStatus
from typing import Any, Final

from msgspec import Struct

from gateway.catalog.view import View
from gateway.launch.trace import Trace

WAITING: Final = "?wait"
"""Behind a route: the request waited for a task on purpose, which says nothing of how fast the gateway is."""
REFUSE: Final = "gateway.refuse"
"""In the state of a server: what it tells of requests that it refuses itself."""
_VISIT: Final = "gateway.visit"
_TEMPLATE: Final = "path_template"
"""The framework's word for the route."""
Fields = dict[bytes, bytes]
Header = tuple[bytes, bytes]


class Visit(Struct, gc=False):
    """One request."""

    fields: Fields
    """Its header fields by their names in small letters; of those with one name the first."""
    request_id: str = ""
    route: str = ""
    """The template of its path, never the path; empty where the framework alone knows it, or nobody does."""
    task_type: str | None = None
    """The task type that was asked for, if the caller may see it."""
    task_id: str | None = None
    """The task that was launched, or asked for."""
    code: str | None = None
    """The code of the problem that is the answer."""
    refused: HTTPStatus | None = None
    """The status with which the server gave up a request that the app had begun with."""
    caller: str = ""
    """Who asks, as `key:ci`; empty where nobody is told apart, or known."""
    view: View | None = None
    """What the caller sees, where there is authentication."""
    gate: Any = None
    """Who let it in; nobody without authentication."""
    auditor: Any = None
    """Who keeps what requests do; nothing where nobody does."""
    trace: Trace | None = None
    """The trace that the caller named."""
    span: Any = None
    """The span of the request, where there is a tracer."""
    shedder: Any = None
    """Who counts it among those that the process may hold."""
    is_parked: bool = False
    """It waits, and is not counted among those that work."""
    held_bytes: int = 0
    """How much of its body is held."""


def find_visit(scope: Any) -> Visit:
    """Return the record of a request, which begins with whoever asks for it first."""
    visit: Visit = scope.get(_VISIT) or _begin(scope)
    return visit


def _begin(scope: Any) -> Visit:
    visit = scope[_VISIT] = Visit(dict(reversed(scope.get("headers", ()))))
    return visit


def find_route(scope: Any, visit: Visit) -> str:
    """Return the template of the path of a request; empty where there is none."""
    return visit.route or scope.get(_TEMPLATE) or ""
