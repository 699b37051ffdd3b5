"""The launch routes: what is accepted, what is answered, what is published."""

from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from gateway.backends.memory import MemoryBackend
from gateway.web.app import build_app
from tests.web.conftest import make_site

API = "/api/celery"


async def test_a_receipt_names_the_task(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """The launch is published under the id that the caller gets, with the defaults filled in."""
    answer = await http.post(f"{API}/tasks/launch", json={"task_type": "shop.order", "params": {"item": "tea"}})
    receipt = answer.json()
    (launch,) = backend.published

    assert 200 == answer.status_code
    assert {"task_id", "task_type", "name", "status", "message", "launched_at", "status_url"} == receipt.keys()
    assert ("shop.order", "shop.order", "PENDING") == (receipt["task_type"], receipt["name"], receipt["status"])
    assert f"{API}/tasks/{receipt['task_id']}" == receipt["status_url"]
    assert (receipt["task_id"], {"item": "tea", "count": 1}) == (launch.task_id, launch.params)
    assert ("shop", 3, 600) == (launch.queue, launch.priority, launch.keep_s)
    assert launch.expires_at == launch.launched_at + timedelta(seconds=600)


async def test_the_typed_route_answers_202_and_where(http: httpx.AsyncClient) -> None:
    """The body is the params; Location leads to the status."""
    answer = await http.post(f"{API}/tasks/launch/shop.order", json={"item": "tea"})
    status = await http.get(answer.headers["location"])

    assert 202 == answer.status_code
    assert (200, "PENDING") == (status.status_code, status.json()["status"])


@pytest.mark.parametrize("path", ["/tasks/launch?dry_run=true", "/tasks/launch/shop.order?dry_run=true"])
async def test_a_dry_run_launches_nothing(http: httpx.AsyncClient, backend: MemoryBackend, path: str) -> None:
    """It answers the filled-in params and options, secrets masked."""
    params = {"item": "tea", "token": "hunter2"}
    body: Any = params if path.startswith("/tasks/launch/") else {"task_type": "shop.order", "params": params}

    answer = await http.post(API + path, json=body)

    assert 200 == answer.status_code
    assert {"item": "tea", "count": 1, "token": "***"} == answer.json()["params"]
    assert ("shop", 3) == (answer.json()["options"]["queue"], answer.json()["options"]["priority"])
    assert not backend.published


async def test_a_dry_run_refuses_what_a_launch_refuses(http: httpx.AsyncClient) -> None:
    """It is the same path."""
    answer = await http.post(f"{API}/tasks/launch/shop.order?dry_run=true", json={})

    assert 422 == answer.status_code


@pytest.mark.parametrize(
    ("query", "seconds"),
    [("countdown_s=60", 60), ("countdown_s=0.5", 0.5), ("countdown_s=0", None)],
)
async def test_a_caller_may_delay_where_the_file_allows_it(
    http: httpx.AsyncClient, backend: MemoryBackend, query: str, seconds: float | None
) -> None:
    """Options stand in the query of the typed route."""
    answer = await http.post(f"{API}/tasks/launch/shop.order?{query}", json={"item": "tea"})
    (launch,) = backend.published

    assert 202 == answer.status_code
    assert launch.eta == (None if seconds is None else launch.launched_at + timedelta(seconds=seconds))


async def test_options_in_the_body_reach_the_message(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """An eta keeps its moment; a priority replaces the declared one."""
    eta = datetime.now(timezone(timedelta(hours=2))).replace(microsecond=0) + timedelta(minutes=50)
    options = {"eta": eta.isoformat(), "priority": 0}
    body = {"task_type": "shop.order", "params": {"item": "tea"}, "options": options}

    await http.post(f"{API}/tasks/launch", json=body)
    (launch,) = backend.published

    assert (eta, 0) == (launch.eta, launch.priority)


async def test_options_are_refused_in_plain_words(http: httpx.AsyncClient) -> None:
    """In the body and in the query alike."""
    wanted = {
        "countdown_s": "wanted a number from 0 to 31536000",
        "eta": "wanted a moment with its UTC offset, as 2026-01-31T12:00:00Z",
        "priority": "wanted an integer from 0 to 255",
    }
    options = dict.fromkeys(wanted, "soon")
    body = {"task_type": "shop.order", "params": {"item": "tea"}, "options": options}

    by_name = await http.post(f"{API}/tasks/launch", json=body)
    by_path = await http.post(f"{API}/tasks/launch/shop.order", params=options, json={"item": "tea"})
    odd_flag = await http.post(f"{API}/tasks/launch?dry_run=perhaps", json=body)
    number = await http.post(f"{API}/tasks/launch/shop.order?eta=1795625062", json={"item": "tea"})

    for answer, at in ((by_name, "/options"), (by_path, "/query")):
        assert wanted == {fault["pointer"].removeprefix(f"{at}/"): fault["detail"] for fault in answer.json()["errors"]}
    assert [("/query/dry_run", "wanted true or false")] == [
        (fault["pointer"], fault["detail"]) for fault in odd_flag.json()["errors"]
    ]
    assert "the request has 1 fault" == odd_flag.json()["detail"]
    assert [wanted["eta"]] == [fault["detail"] for fault in number.json()["errors"]]


@pytest.mark.parametrize(
    ("options", "pointer", "code"),
    [
        pytest.param({"eta": "2030-01-01T12:00:00"}, "/options/eta", "type", id="eta without offset"),
        pytest.param({"countdown_s": 3600}, "/options/countdown_s", "beyond_visibility_timeout", id="too late"),
        pytest.param({"eta": "2100-01-01T00:00:00Z"}, "/options/eta", "beyond_visibility_timeout", id="far too late"),
        pytest.param({"countdown_s": -1}, "/options/countdown_s", "type", id="in the past"),
        pytest.param({"countdown_s": 1, "eta": "2026-01-01T00:00:00Z"}, "/options/eta", "conflict", id="both"),
        pytest.param({"queue": "other"}, "/options/queue", "additionalProperties", id="no option"),
        pytest.param({"task_id": "x"}, "/options/task_id", "additionalProperties", id="mass assignment"),
        pytest.param({"expires_s": 1}, "/options/expires_s", "not_allowed", id="not allowed by the file"),
    ],
)
async def test_bad_options_are_refused(
    http: httpx.AsyncClient, options: dict[str, Any], pointer: str, code: str
) -> None:
    """What the file does not let a caller set, a caller does not set."""
    body = {"task_type": "shop.order", "params": {"item": "tea"}, "options": options}

    answer = await http.post(f"{API}/tasks/launch", json=body)

    assert 422 == answer.status_code
    assert [(pointer, code)] == [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]


async def test_a_secret_goes_to_the_worker_alone(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """No ledger row holds it; a retry must be given it again."""
    launched = await http.post(f"{API}/tasks/launch/shop.order", json={"item": "tea", "token": "hunter2"})
    task_id = launched.json()["task_id"]
    backend.records[task_id] = b'{"status": "FAILURE", "result": null}'

    without = await http.post(f"{API}/tasks/{task_id}/retry")
    given = await http.post(f"{API}/tasks/{task_id}/retry", json={"params": {"token": "hunter3"}})
    first, second = backend.published
    [row] = await backend.find([task_id])

    assert "hunter2" == first.params["token"]
    assert row is not None
    assert "token" not in row.entry.params
    assert (422, "/params/token", "secret") == (
        without.status_code, without.json()["errors"][0]["pointer"], without.json()["errors"][0]["code"],
    )  # fmt: skip
    assert (200, "hunter3") == (given.status_code, second.params["token"])
    assert "hunter" not in repr(second) + given.text


async def test_kombu_envelopes_never_reach_a_worker(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """An object shaped like Kombu's own would arrive as another value, or kill the message."""
    body = '{"task_type": "shop.order", "params": {"item": {"\\u005f_type__": "uuid", "__value__": "x"}}}'

    answer = await http.post(f"{API}/tasks/launch", content=body, headers={"Content-Type": "application/json"})

    assert 422 == answer.status_code
    assert not backend.published


RULED = """
version: 1
tasks:
  sync:
    parameters:
      months: {type: integer, minimum: 0, default: 1}
      token: {type: string, secret: true, required: false}
    rules:
      - {rule: "params.months <= 12 || has(params.token)", message: more than a year needs a token, parameter: months}
      - {rule: "24 / params.months > 0", message: months must divide}
"""


@pytest.mark.parametrize(
    ("params", "faults"),
    [
        pytest.param({"months": 13}, [("/months", "rule", "more than a year needs a token")], id="false"),
        pytest.param({"months": 0}, [("", "undecided_rule", "the rule cannot be decided for these params: "
                                     "months must divide")], id="undecided"),
        pytest.param({"months": "x"}, [("/months", "type", "wanted an integer, got a string")], id="schema first"),
    ],
)  # fmt: skip
async def test_a_rule_refuses_like_a_schema(
    backend: MemoryBackend, params: dict[str, Any], faults: list[tuple[str, str, str]]
) -> None:
    """One more entry of `errors`; nothing is launched; the catalog and OpenAPI show the rule."""
    transport = httpx.ASGITransport(build_app(make_site(backend, RULED)))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        answer = await http.post(f"{API}/tasks/launch/sync", json=params)
        entry = (await http.get(f"{API}/tasks/types/sync")).json()
        operation = (await http.get("/openapi.json")).json()["paths"][f"{API}/tasks/launch/sync"]["post"]

    assert 422 == answer.status_code
    assert faults == [(each["pointer"], each["code"], each["detail"]) for each in answer.json()["errors"]]
    assert not backend.published
    assert ["more than a year needs a token", "months must divide"] == [rule["message"] for rule in entry["rules"]]
    assert "24 / params.months > 0" in operation["description"]


CELERY_OPTIONS = (
    "task_id", "queue", "exchange", "routing_key", "headers", "state", "status", "name", "args", "kwargs", "serializer",
    "compression", "link", "link_error", "reply_to", "root_id", "parent_id", "time_limit", "soft_time_limit", "shadow",
    "group_id", "chord", "retry_of", "keep_s", "secret_names", "digest", "origin", "delivery_mode", "__class__",
)  # fmt: skip


@pytest.mark.parametrize("name", CELERY_OPTIONS)
@pytest.mark.parametrize("level", ["body", "params", "options", "query", "typed body"])
async def test_nothing_can_be_assigned_that_is_not_declared(
    http: httpx.AsyncClient, backend: MemoryBackend, name: str, level: str
) -> None:
    """Neither Celery's options nor our own fields, at any level of a launch."""
    body: dict[str, Any] = {"task_type": "shop.order", "params": {"item": "tea"}, "options": {}}
    target = {"body": body, "params": body["params"], "options": body["options"]}.get(level, {})
    target[name] = "x"

    if level == "query":
        answer = await http.post(f"{API}/tasks/launch/shop.order?{name}=x", json={"item": "tea"})
    elif level == "typed body":
        answer = await http.post(f"{API}/tasks/launch/shop.order", json={"item": "tea", name: "x"})
    else:
        answer = await http.post(f"{API}/tasks/launch", json=body)

    assert (422, "refused_params") == (answer.status_code, answer.json()["code"])
    assert not backend.published


@pytest.mark.parametrize("path", [f"{API}/tasks/launch", f"{API}/tasks/launch/batch", f"{API}/tasks/revoke"])
async def test_a_body_holds_only_so_many_values(http: httpx.AsyncClient, path: str) -> None:
    """On every route that takes one: 1,500 here are judged, one more is refused unread."""
    answers = [await http.post(path, json=[1] * count) for count in (1499, 1500)]

    assert [422, 400] == [each.status_code for each in answers]
    assert "the body holds more than 1500 values" == answers[1].json()["detail"]
