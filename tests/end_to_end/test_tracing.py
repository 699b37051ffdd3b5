"""Traces go on in the workers, which OpenTelemetry's own instrumentation of Celery traces."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.collector import Collector, Span, run_collector
from tests.harness import finish, run_gateway, run_worker, wait_for

API = "/api/celery/tasks"
BODY = {"task_type": "sii.sync_documents", "params": {"company_id": "test"}}
PARAMS = {"company_id": "canary"}
SERVER, PRODUCER, CONSUMER = 2, 4, 5


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Where all spans go."""
    with run_collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def broker_url(lone_valkey_url: str, collector: Collector, logs: Path) -> Iterator[str]:
    """A broker with a worker that is traced."""
    url = f"{lone_valkey_url[:-1]}7"
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "worker", "DEMO_TASK_SECONDS": "0"}
    with run_worker(logs / "traced-worker.log", url, app="tests.end_to_end.traced_app", **env):
        yield url


@pytest.fixture(scope="module")
def untraced(broker_url: str, logs: Path) -> Iterator[httpx.Client]:
    """A gateway that makes no spans; nobody runs one of its task types."""
    config = logs / "traced.yaml"
    nothing = "  traced.nothing: {description: Wait in a queue of its own., queue: nobody}\n"
    config.write_text(Path("tasks.yaml").read_text() + nothing)
    with (
        run_gateway(logs / "untraced.log", config=config, broker_url=broker_url) as url,
        httpx.Client(base_url=url) as http,
    ):
        yield http


@pytest.fixture(scope="module")
def traced(broker_url: str, collector: Collector, logs: Path) -> Iterator[httpx.Client]:
    """A gateway that makes spans, and sends them soon."""
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    with (
        run_gateway(logs / "traced.log", broker_url=broker_url, variables=variables) as url,
        httpx.Client(base_url=url) as http,
    ):
        yield http


def begin() -> tuple[str, str, dict[str, str]]:
    """Begin a trace as a caller does: its id, that of the caller's span, and the headers."""
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    return trace_id, span_id, {"traceparent": f"00-{trace_id}-{span_id}-01", "tracestate": "vendor=1"}


def name_task(run: Span) -> str:
    """Return the id of the task that ran."""
    return str(run.attributes["messaging.message.id"])


def find_pair(collector: Collector, trace_id: str, run: Span) -> tuple[Span, Span] | None:
    """Find the span of the request that caused a run, and that of its message."""
    spans = {span.span_id: span for span in collector.find(trace_id)}
    producer = spans.get(run.parent_id)
    server = spans.get(producer.parent_id) if producer else None
    return (server, producer) if server and producer else None


def wait_for_runs(collector: Collector, trace_id: str, count: int = 1) -> list[Span]:
    """Wait for the spans of tasks that ran."""

    def look() -> list[Span] | None:
        found = [span for span in collector.find(trace_id) if span.service == "worker"]
        return found if len(found) == count else None

    return wait_for(f"{count} runs in the trace", look)


def test_a_worker_joins_the_trace_of_the_request(untraced: httpx.Client, collector: Collector) -> None:
    """Below the caller's own span, as the gateway makes none."""
    trace_id, span_id, headers = begin()

    task_id = untraced.post(f"{API}/launch", json=BODY, headers=headers).json()["task_id"]
    [run] = wait_for_runs(collector, trace_id)

    assert ("run/sii.sync_documents", CONSUMER, span_id) == (run.name, run.kind, run.parent_id)
    assert task_id == name_task(run)


def test_gateway_and_worker_are_one_trace(traced: httpx.Client, collector: Collector) -> None:
    """The request below the caller's span, its message below the request, the run below the message."""
    trace_id, span_id, headers = begin()

    refused = traced.post(f"{API}/launch/sii.sync_documents?canary=1", json=PARAMS)
    receipt = traced.post(f"{API}/launch/sii.sync_documents", json=PARAMS, headers=headers).json()
    [run] = wait_for_runs(collector, trace_id)
    spans = wait_for("both spans of the gateway", lambda: find_pair(collector, trace_id, run))

    assert 400 <= refused.status_code < 500
    server, producer = spans
    assert (SERVER, f"POST {API}/launch/{{task_type}}", span_id) == (server.kind, server.name, server.parent_id)
    assert (PRODUCER, "send sii.sync_documents", server.span_id) == (producer.kind, producer.name, producer.parent_id)
    assert (name_task(run), receipt["task_id"]) == (receipt["task_id"], server.attributes["gateway.task_id"])
    assert {"http.request.method": "POST", "http.response.status_code": 202}.items() <= server.attributes.items()
    assert not [span for span in collector.spans if span.service == "task-gateway" and "canary" in span.raw]


def test_batches_and_retries_belong_to_the_trace_of_their_own_request(
    untraced: httpx.Client, collector: Collector
) -> None:
    """Not to that of the first launch."""
    first, _, headers = begin()
    batch = untraced.post(f"{API}/launch/batch", json={"items": [BODY, BODY]}, headers=headers).json()
    task_ids = [each["receipt"]["task_id"] for each in batch["items"]]
    for task_id in task_ids:
        finish(untraced, task_id)

    second, _, headers = begin()
    retried = untraced.post(f"{API}/{task_ids[0]}/retry", headers=headers).json()
    third, _, headers = begin()
    bulk = untraced.post(f"{API}/retry", json={"batch": batch["batch_id"], "status": "SUCCESS"}, headers=headers).json()

    assert set(task_ids) == {name_task(run) for run in wait_for_runs(collector, first, 2)}
    assert [retried["task_id"]] == [name_task(run) for run in wait_for_runs(collector, second)]
    assert [bulk["items"][0]["retried_as"]] == [name_task(run) for run in wait_for_runs(collector, third)]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="none"),
        pytest.param([("traceparent", f"00-{'0' * 32}-00f067aa0ba902b7-01"), ("tracestate", "vendor=1")], id="unsound"),
        pytest.param([("traceparent", f"00-{digit * 32}-00f067aa0ba902b7-01") for digit in "12"], id="two"),
    ],
)
def test_without_a_sound_trace_there_is_nothing_of_it_in_a_message(
    untraced: httpx.Client, broker_url: str, headers: list[tuple[str, str]]
) -> None:
    """The launch happens all the same."""
    queue = "nobody"
    body = {"task_type": "traced.nothing", "params": {}}

    assert 200 == untraced.post(f"{API}/launch", json=body, headers=headers).status_code

    with Redis.from_url(broker_url) as client:
        message: dict[str, Any] = json.loads(client.rpop(queue) or b"{}")
    assert message["headers"]["task"] == "traced.nothing"
    assert not {"traceparent", "tracestate"} & message["headers"].keys()
