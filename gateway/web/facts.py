"""What is known of a request beside its answer, for whoever observes it: words in the ASGI scope.

Only plain values: what is in the scope must not hold what holds the scope.
"""

from typing import Final

ROUTE: Final = "path_template"
"""The template of the path, never the path; the framework's own word."""
WAITING: Final = "?wait"
"""Behind a route: the request waited for a task on purpose, which says nothing of how fast the gateway is."""
TASK_ID: Final = "gateway.task_id"
"""The task that was launched, or asked for."""
TASK_TYPE: Final = "gateway.task_type"
"""The task type that was asked for, if its caller may see it."""
CODE: Final = "gateway.code"
"""The code of the problem that is the answer."""
FIELDS: Final = "gateway.fields"
"""The header fields of the request by name."""
REFUSED: Final = "gateway.refused"
"""The status with which the server gave up a request that the app had begun with."""
REFUSE: Final = "gateway.refuse"
"""In the state of a server: what it tells of requests that it refuses itself."""
AUDITOR: Final = "gateway.auditor"
"""Who keeps what requests do; nothing where nobody does."""
CALLER: Final = "gateway.caller"
REQUEST_ID: Final = "gateway.request_id"
TRACE: Final = "gateway.trace"
"""The trace that the caller named; nothing where there is none."""
SPAN: Final = "gateway.span"
"""The span of the request, where there is a tracer."""
