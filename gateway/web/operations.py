"""The fixed operations of the API, as one table: what OpenAPI says of each route that no task type makes."""

from typing import Any

from gateway.catalog.task_type import CatalogEntry
from gateway.flows.feeding import TaskChange
from gateway.history.bulk import RetryManyAnswer, RetryManyBody, RevokeManyAnswer, RevokeManyBody
from gateway.history.page import HistoryPage
from gateway.launch.batch import BatchBody
from gateway.launch.launch import DryRun, Receipt
from gateway.launch.request import LaunchBody, RetryBody
from gateway.ports import ConfigState
from gateway.stats.drift import Drift
from gateway.stats.stats import Stats
from gateway.status.status import RevokeAnswer, TaskStatus
from gateway.web.audit import AuditPage, AuditQuery
from gateway.web.catalog import CatalogQuery
from gateway.web.door import FollowQuery
from gateway.web.following import RevokeQuery
from gateway.web.gate import OPEN
from gateway.web.headers import KEY, LAST_EVENT_ID, PREFER
from gateway.web.health import Readiness
from gateway.web.history import BulkQuery, HistoryQuery
from gateway.web.launching import BatchAnswer, LaunchQuery
from gateway.web.operation import Operation
from gateway.web.refusals import BODY_PROBLEMS, OUTAGE, RATE
from gateway.web.streaming import EVENT_STREAM, FeedQuery

OPERATIONS = (
    Operation(
        method="get",
        path="/tasks",
        operation_id="listTaskTypes",
        summary="List what can be launched",
        tag="Catalog",
        query=CatalogQuery,
        answers={"200": ("The catalog.", list[CatalogEntry]), "304": ("Not changed since `If-None-Match`.",)},
        problems=(422, 500),
    ),
    Operation(
        method="get",
        path="/tasks/types/{task_type}",
        operation_id="showTaskType",
        summary="Show one task type",
        tag="Catalog",
        answers={"200": ("The catalog's entry.", CatalogEntry)},
        problems=(404, 422, 500),
    ),
    Operation(
        method="post",
        path="/tasks/launch",
        operation_id="launch",
        summary="Launch a task by the name of its type",
        tag="Launch",
        query=LaunchQuery,
        headers=(KEY, PREFER),
        body=LaunchBody,
        answers={
            "200": (
                "Accepted: it is in the ledger and in the broker. With `Prefer: wait`, its final status.",
                Receipt,
                DryRun,
                TaskStatus,
            ),
            "202": ("With `Prefer: wait`, accepted, and not ended in time.", Receipt),
        },
        problems=(409, *BODY_PROBLEMS, RATE, *OUTAGE),
    ),
    Operation(
        method="post",
        path="/tasks/launch/batch",
        operation_id="launchBatch",
        summary="Launch up to a thousand tasks",
        tag="Launch",
        body=BatchBody,
        answers={"200": ("A receipt or a problem for each item, in their order.", BatchAnswer)},
        problems=(*BODY_PROBLEMS, *OUTAGE),
    ),
    Operation(
        method="get",
        path="/tasks/history",
        operation_id="findTasks",
        summary="Find tasks again, the newest first",
        tag="Tasks",
        query=HistoryQuery,
        answers={"200": ("One page of them.", HistoryPage)},
        problems=(422, *OUTAGE),
    ),
    Operation(
        method="post",
        path="/tasks/retry",
        operation_id="retryTasks",
        summary="Launch all tasks again that match and have failed",
        tag="Tasks",
        query=BulkQuery,
        body=RetryManyBody,
        answers={"200": ("What became of them.", RetryManyAnswer)},
        problems=(*BODY_PROBLEMS, *OUTAGE),
    ),
    Operation(
        method="post",
        path="/tasks/revoke",
        operation_id="revokeTasks",
        summary="Ask that all tasks not run, or stop, that match and have not ended",
        tag="Tasks",
        query=BulkQuery,
        body=RevokeManyBody,
        answers={"200": ("What became of them.", RevokeManyAnswer)},
        problems=(*BODY_PROBLEMS, *OUTAGE),
    ),
    Operation(
        method="get",
        path="/tasks/{task_id}",
        operation_id="showTask",
        summary="Tell what is known of a task, at once or when it changes",
        tag="Tasks",
        query=FollowQuery,
        answers={"200": ("The status.", TaskStatus)},
        problems=(404, 410, 422, *OUTAGE),
    ),
    Operation(
        method="get",
        path="/tasks/{task_id}/events",
        operation_id="streamTask",
        summary="Stream every status that a task comes to, until its final one",
        tag="Tasks",
        headers=(LAST_EVENT_ID,),
        media_type=EVENT_STREAM,
        answers={
            "200": ("Events `status` and, once and last, `final`; `bye` asks to connect again.", TaskStatus),
            "204": ("The final event has been seen.",),
        },
        problems=(400, 404, 410, 422, *OUTAGE),
    ),
    Operation(
        method="get",
        path="/tasks/events",
        operation_id="streamAllTasks",
        summary="Stream every status that any task comes to",
        tag="Tasks",
        query=FeedQuery,
        headers=(LAST_EVENT_ID,),
        media_type=EVENT_STREAM,
        answers={"200": ("Events `status`; `bye` asks to connect again.", TaskChange)},
        problems=(400, 422, *OUTAGE),
    ),
    Operation(
        method="get",
        path="/tasks/{task_id}/result",
        operation_id="showResult",
        summary="Show the whole result of a task, however large",
        tag="Tasks",
        answers={"200": ("The value that the task returned.", Any)},
        problems=(404, 409, 410, 422, *OUTAGE),
    ),
    Operation(
        method="delete",
        path="/tasks/{task_id}",
        operation_id="revokeTask",
        summary="Ask that a task not run, or stop",
        tag="Tasks",
        query=RevokeQuery,
        answers={"200": ("What was requested, and what is confirmed.", RevokeAnswer)},
        problems=(404, 409, 410, 422, *OUTAGE),
    ),
    Operation(
        method="post",
        path="/tasks/{task_id}/retry",
        operation_id="retryTask",
        summary="Launch a finished task again",
        tag="Tasks",
        headers=(KEY,),
        body=RetryBody,
        is_body_required=False,
        answers={"200": ("Accepted under a new id.", Receipt)},
        problems=(404, 409, 410, *BODY_PROBLEMS, RATE, *OUTAGE),
    ),
    Operation(
        method="get",
        path="/stats",
        right="stats",
        operation_id="showStats",
        summary="Show workers, queues and totals",
        tag="Operations",
        answers={"200": ("What is known of them, from memory.", Stats)},
        problems=(422, 500),
    ),
    Operation(
        method="get",
        path="/drift",
        right="stats",
        operation_id="showDrift",
        summary="Show where the workers differ from the catalog",
        tag="Operations",
        answers={"200": ("Every difference, or why none can be told.", Drift)},
        problems=(422, 500),
    ),
    Operation(
        method="get",
        path="/config",
        right="config",
        operation_id="showConfig",
        summary="Show which tasks.yaml is served, and what was wrong with the last one that is not",
        tag="Operations",
        answers={"200": ("Its state.", ConfigState)},
        problems=(422, 500),
    ),
    Operation(
        method="post",
        path="/config/reload",
        right="reload",
        operation_id="reloadConfig",
        summary="Read tasks.yaml again, on every gateway of this ledger",
        tag="Operations",
        answers={"200": ("What is served now.", ConfigState)},
        problems=(422, 500),
    ),
    Operation(
        method="get",
        path="/audit",
        right="audit",
        operation_id="showAudit",
        summary="Show who did what, the newest first",
        tag="Operations",
        query=AuditQuery,
        answers={"200": ("One page of records.", AuditPage)},
        problems=(422, *OUTAGE),
    ),
    Operation(
        method="get",
        path="/schema/tasks.json",
        operation_id="showEditorSchema",
        summary="Show the JSON Schema of tasks.yaml itself, for editors",
        tag="Catalog",
        is_prefixed=False,
        right=OPEN,
        media_type="application/schema+json",
        answers={"200": ("A JSON Schema.", dict[str, Any])},
    ),
    Operation(
        method="get",
        path="/health/live",
        operation_id="isLive",
        summary="Say that the process lives",
        tag="Operations",
        is_prefixed=False,
        right=OPEN,
        answers={"200": ("It does.", dict[str, str])},
    ),
    Operation(
        method="get",
        path="/health/startup",
        operation_id="isStarted",
        summary="Say whether the process has begun: it has looked at every part once, whatever it saw",
        tag="Operations",
        is_prefixed=False,
        right=OPEN,
        answers={"200": ("It has, for good.", dict[str, str]), "503": ("Not yet.", dict[str, str])},
    ),
    Operation(
        method="get",
        path="/health/ready",
        operation_id="isReady",
        summary="Say whether every part answers, and the process is not about to stop",
        tag="Operations",
        is_prefixed=False,
        right=OPEN,
        answers={"200": ("All do.", Readiness), "503": ("Some do not, or it stops.", Readiness)},
    ),
    Operation(
        method="get",
        path="/metrics",
        operation_id="showMetrics",
        summary="Show all metrics, as Prometheus reads them",
        tag="Operations",
        is_prefixed=False,
        right="metrics",
        media_type="text/plain",
        answers={"200": ("Of all processes behind this port.", str)},
    ),
)
"""Beside these there is one launch route per task type; see `openapi`."""
