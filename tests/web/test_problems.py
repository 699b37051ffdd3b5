"""Every failure is one problem document, and `web/problems.py` alone chooses its status."""

import inspect
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from gateway import errors
from gateway.backends.memory import MemoryBackend
from gateway.launch.offer import Offer, Outcome
from gateway.web.problems import STATUSES

API = "/api/celery"
UNKNOWN_ID = "01890000-0000-7000-8000-000000000000"
JSON = {"Content-Type": "application/json"}


def post(path: str, content: bytes | str, headers: dict[str, str] = JSON) -> dict[str, Any]:
    """Describe a POST."""
    return {"method": "POST", "url": API + path, "content": content, "headers": headers}


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        pytest.param({"method": "GET", "url": "/nowhere"}, 404, "not_found", id="no such page"),
        pytest.param({"method": "PATCH", "url": f"{API}/tasks"}, 405, "method_not_allowed", id="no such method"),
        pytest.param({"method": "GET", "url": f"{API}/tasks/{UNKNOWN_ID}"}, 404, "unknown_task", id="unknown id"),
        pytest.param({"method": "GET", "url": f"{API}/tasks/*"}, 404, "unknown_task", id="no id at all"),
        pytest.param(
            {"method": "DELETE", "url": f"{API}/tasks/{UNKNOWN_ID}"}, 404, "unknown_task", id="revoke nothing"
        ),
        pytest.param({"method": "POST", "url": f"{API}/tasks/x/retry"}, 404, "unknown_task", id="retry nothing"),
        pytest.param({"method": "GET", "url": f"{API}/tasks/types/shop.odrer"}, 404, "unknown_task_type", id="no type"),
        pytest.param(post("/tasks/launch/shop.odrer", "{}"), 404, "unknown_task_type", id="no type in the path"),
        pytest.param(post("/tasks/launch", '{"task_type": "x"}'), 422, "unknown_task_type", id="no type in the body"),
        pytest.param(post("/tasks/launch", "{"), 400, "malformed_body", id="cut off"),
        pytest.param(post("/tasks/launch", ""), 400, "malformed_body", id="empty"),
        pytest.param(post("/tasks/launch", b'"\xff"'), 400, "malformed_body", id="not UTF-8"),
        pytest.param(post("/tasks/launch/shop.order", '{"item":"a","item":"b"}'), 400, "malformed_body", id="twice"),
        pytest.param(post("/tasks/launch/shop.order", "[" * 4000), 400, "malformed_body", id="deep"),
        pytest.param(post("/tasks/launch", " " * 5000), 413, "request_entity_too_large", id="too large"),
        pytest.param(post("/tasks/launch", "{}", {}), 415, "unsupported_media_type", id="no media type"),
        pytest.param(
            post("/tasks/launch", "{}", {"Content-Type": "text/plain"}), 415, "unsupported_media_type", id="text"
        ),
        pytest.param(
            post("/tasks/launch", "{}", JSON | {"Content-Encoding": "gzip"}), 415, "unsupported_media_type", id="gzip"
        ),
        pytest.param(post("/tasks/launch", "[]"), 422, "refused_params", id="no object"),
        pytest.param(post("/tasks/launch", '{"task_type": 1, "param": {}}'), 422, "refused_params", id="ill-formed"),
        pytest.param(post("/tasks/launch/shop.order", "{}"), 422, "refused_params", id="missing param"),
        pytest.param(post("/tasks/launch/shop.order?dry=1", "{}"), 422, "refused_params", id="unknown query member"),
        pytest.param(post("/tasks/launch?dry_run=x", "{}"), 422, "refused_params", id="ill-typed query member"),
        pytest.param({"method": "GET", "url": f"{API}/stats?a=%ff"}, 400, "malformed_body", id="query not UTF-8"),
        pytest.param({"method": "GET", "url": f"{API}/tasks?tag=a&tag=b"}, 422, "refused_params", id="query twice"),
        pytest.param({"method": "GET", "url": f"{API}/tasks/*?wait_s=1"}, 404, "unknown_task", id="wait for no id"),
        pytest.param({"method": "GET", "url": f"{API}/tasks/history?since=5"}, 422, "refused_params", id="no moment"),
        pytest.param({"method": "GET", "url": f"{API}/tasks/history?since=null"}, 422, "refused_params", id="null"),
        pytest.param({"method": "GET", "url": f"{API}/audit?cursor=0-0.0"}, 422, "refused_params", id="no place"),
        pytest.param(
            {"method": "POST", "url": f"{API}/tasks/events"}, 405, "method_not_allowed", id="post to the feed"
        ),
        pytest.param(
            {"method": "DELETE", "url": f"{API}/tasks/{UNKNOWN_ID}/events"}, 405, "method_not_allowed", id="no stream"
        ),
        pytest.param(
            post("/tasks/launch/shop.order?dry_run=true", '{"item": "tea"}', JSON | {"Idempotency-Key": "a b"}),
            400,
            "malformed_body",
            id="no key, in a dry run",
        ),
    ],
)
async def test_every_failure_has_the_one_shape(
    http: httpx.AsyncClient, backend: MemoryBackend, request_: dict[str, Any], status: int, code: str
) -> None:
    """RFC 9457, with our code; nothing is published."""
    answer = await http.request(**request_)
    problem = answer.json()

    assert (status, code) == (answer.status_code, problem["code"])
    assert "application/problem+json" == answer.headers["content-type"]
    assert {"type", "title", "status", "detail", "instance", "code"} <= problem.keys()
    assert (status, f"urn:task-gateway:problem:{code}") == (problem["status"], problem["type"])
    assert not backend.published


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/tasks", "GET, OPTIONS"),
        ("/tasks/launch", "POST"),
        ("/tasks/events", "GET"),
        (f"/tasks/{UNKNOWN_ID}", "DELETE, GET, OPTIONS"),
        (f"/tasks/{UNKNOWN_ID}/events", "GET"),
        (f"/tasks/{UNKNOWN_ID}/retry", "OPTIONS, POST"),
    ],
)
async def test_every_method_of_a_path_is_told(http: httpx.AsyncClient, path: str, methods: str) -> None:
    """To whoever asks for them, and to whoever sends another."""
    asked, refused = await http.options(API + path), await http.patch(API + path)

    assert [methods] * 2 == [", ".join(sorted(each.headers["Allow"].split(", "))) for each in (asked, refused)]
    assert 405 == refused.status_code


async def test_every_fault_of_a_body_is_told_at_once(http: httpx.AsyncClient) -> None:
    """Pointers lead into the body; unknown members name the nearest known one."""
    body = {
        "task_type": "shop.order",
        "params": {"itme": "tea", "count": "3", "token": 4},
        "options": {"expires_s": 5, "priority": "x", "colour": 1},
    }

    faults = (await http.post(f"{API}/tasks/launch", json=body)).json()["errors"]

    assert {
        ("/params/item", "required"),
        ("/params/itme", "additionalProperties"),
        ("/params/count", "type"),
        ("/params/token", "type"),
        ("/options/expires_s", "not_allowed"),
        ("/options/priority", "type"),
        ("/options/colour", "additionalProperties"),
    } == {(fault["pointer"], fault["code"]) for fault in faults}
    assert "item" in next(fault["detail"] for fault in faults if fault["pointer"] == "/params/itme")


async def test_an_unknown_task_type_names_the_near_misses(http: httpx.AsyncClient) -> None:
    """In the sentence and as a member."""
    answer = await http.post(f"{API}/tasks/launch", json={"task_type": "shop.oder"})

    assert "no task type 'shop.oder'; did you mean 'shop.order'?" == answer.json()["detail"]
    assert ["shop.order"] == answer.json()["near"]


async def test_a_bug_is_opaque(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """The answer carries an id; the log has the rest under that id."""
    backend.view = lambda: 1 / 0  # type: ignore[assignment, method-assign, return-value]

    with capture_logs() as logs:
        answer = await http.get(f"{API}/stats")
    problem = answer.json()
    (record,) = [each for each in logs if each["event"] == "internal_error"]

    assert (500, "internal_error") == (answer.status_code, problem["code"])
    assert problem["error_id"] in problem["detail"]
    assert "division" not in answer.text
    assert (problem["error_id"], "ZeroDivisionError") == (record["error_id"], type(record["exc_info"]).__name__)


async def test_a_backend_that_is_away_is_503_with_retry_after(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """An uncertain publish says so and carries its id."""

    async def fail(offers: list[Offer], **_: bool) -> list[Outcome]:
        return [errors.UncertainPublishError(each.launch.task_id) for each in offers]

    backend.publish = fail  # type: ignore[method-assign]

    answer = await http.post(f"{API}/tasks/launch/shop.close", json={})

    assert (503, "uncertain_publish") == (answer.status_code, answer.json()["code"])
    assert answer.json()["task_id"] in answer.json()["detail"]
    assert "1" == answer.headers["retry-after"]


def test_every_error_class_is_mapped() -> None:
    """By itself or by a parent that is not the root; what only a start can raise is left out."""
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.GatewayError)]
    at_start = {errors.GatewayError, errors.SettingsError, errors.UnsafeError, errors.ConfigError}

    unmapped = [
        kind
        for kind in classes
        if kind not in at_start and not (set(kind.__mro__) & STATUSES.keys()) - {errors.GatewayError}
    ]
    assert [] == unmapped


def test_every_code_is_one_of_its_own() -> None:
    """No two classes share a code."""
    codes = [
        kind.code for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.GatewayError)
    ]

    assert len(codes) == len(set(codes))
