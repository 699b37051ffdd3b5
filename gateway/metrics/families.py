"""Every metric there is: its name, its labels, and what it says. Data only.

No label names a worker or a task, and none holds what a caller may choose: the number of series is bounded by the catalog,
the routes and the error classes.
"""

from typing import Final, Literal

from msgspec import Struct

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LONG_SECONDS: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0)
LAG_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


HEARTBEAT: Final = "heartbeat"
"""No metric: when a process last said that it lives, by the machine's monotonic clock."""


class Family(Struct, frozen=True):
    """One metric."""

    name: str
    """A counter is shown with `_total` behind it."""
    kind: Literal["counter", "histogram", "sum", "most", "seen"]
    """`sum` and `most` are gauges of each process, of which the living ones are added up, or the greatest is shown; `seen`
    is a gauge of the whole deployment, as the process that is asked sees it."""
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """Return how many numbers a series of it has: of a histogram its buckets, and the sum."""
        return len(self.bounds) + 2 if self.bounds else 1


LAUNCHES: Final = Family("gateway_launches", "counter", "Launches that were accepted.", ("task_type",))
REFUSALS: Final = Family("gateway_refusals", "counter", "Requests, and items of batches, that were refused.", ("code",))
BACKEND_ERRORS: Final = Family(
    "gateway_backend_errors", "counter", "Failures of broker, ledger or results, in requests and probes.", ("code",)
)
FINISHED: Final = Family(
    "gateway_finished", "counter", "Tasks whose end this gateway was first to write down.", ("task_type", "outcome")
)
QUEUE_WAIT: Final = Family(
    "gateway_queue_wait_seconds",
    "histogram",
    "From launch to start, of tasks that ended.",
    ("task_type",),
    LONG_SECONDS,
)
RUN_TIME: Final = Family(
    "gateway_run_seconds", "histogram", "From start to end, of tasks that ended.", ("task_type",), LONG_SECONDS
)
ANSWERS: Final = Family(
    "gateway_http_request_seconds",
    "histogram",
    "From a request to the head of its answer.",
    ("method", "route", "status"),
    SECONDS,
)
UNCERTAIN: Final = Family(
    "gateway_uncertain_publishes", "counter", "Messages that were sent, and never seen confirmed by the broker."
)
RESENT: Final = Family(
    "gateway_outbox_sent", "counter", "Messages that left the outbox late, or a second time after an uncertain publish."
)
REDELIVERIES: Final = Family(
    "gateway_redeliveries", "counter", "Messages that were lost with a worker, and sent again under the same task id."
)
GIVEN_UP: Final = Family(
    "gateway_given_up", "counter", "Tasks that were lost with a worker and ended, as they are not sent again."
)
LINES_DROPPED: Final = Family("gateway_log_lines_dropped", "counter", "Lines of the log that nobody took in time.")
AUDIT_LOST: Final = Family("gateway_audit_records_lost", "counter", "Records of the audit that were never written.")
RELOAD_FAILURES: Final = Family(
    "gateway_config_failures", "counter", "Attempts at a new tasks.yaml that failed; each process counts its own."
)
LAG: Final = Family(
    "gateway_event_loop_lag_seconds", "histogram", "How late the event loop woke, twice a second.", (), LAG_SECONDS
)
ALIVE: Final = Family("gateway_processes", "seen", "Gateway processes behind this port.")
UNDER_WAY: Final = Family("gateway_requests_under_way", "sum", "Requests that are worked on.")
WAITING: Final = Family("gateway_requests_waiting", "sum", "Requests that wait for a task, and event streams.")
GENERATION: Final = Family("gateway_config_generation", "most", "Number of the catalog since its process began.")
STALE: Final = Family("gateway_config_stale", "most", "1 while tasks.yaml is not what is served, as it has issues.")
WORKERS: Final = Family("gateway_workers_online", "seen", "Celery workers that are online.")
DEPTH: Final = Family("gateway_queue_depth", "seen", "Messages that no worker has taken.", ("queue",))
OLDEST: Final = Family("gateway_queue_oldest_seconds", "seen", "How long the oldest message has waited.", ("queue",))
BACKLOG: Final = Family("gateway_outbox_size", "seen", "Launches that wait for a broker that was away.")
OPEN: Final = Family("gateway_open_tasks", "seen", "Tasks whose end nobody has seen.")
READY: Final = Family("gateway_part_ready", "seen", "1 while a part answers.", ("part",))
LATENCY: Final = Family("gateway_part_latency_seconds", "seen", "How long a part took for its last answer.", ("part",))

FAMILIES: Final = (
    LAUNCHES,
    REFUSALS,
    BACKEND_ERRORS,
    FINISHED,
    QUEUE_WAIT,
    RUN_TIME,
    ANSWERS,
    UNCERTAIN,
    RESENT,
    REDELIVERIES,
    GIVEN_UP,
    LINES_DROPPED,
    AUDIT_LOST,
    RELOAD_FAILURES,
    LAG,
    ALIVE,
    UNDER_WAY,
    WAITING,
    GENERATION,
    STALE,
    WORKERS,
    DEPTH,
    OLDEST,
    BACKLOG,
    OPEN,
    READY,
    LATENCY,
)
