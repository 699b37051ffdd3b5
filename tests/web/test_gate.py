"""Who may do what over HTTP: every route with every role, and what is not told to those who may not see."""

import re
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import get

from gateway.access.rights import GIVEN_BY, POWERS
from gateway.backends.memory import MemoryBackend
from gateway.backends.memory_changes import MemoryChanges
from gateway.web.app import build_app
from gateway.web.door import TaskDoor
from gateway.web.gate import KNOWN, OPEN, Gate, check_handlers
from gateway.web.launching import LaunchDoor
from gateway.web.operations import OPERATIONS
from tests.web.conftest import FixedCallers, make_site

API = "/api/celery"
UNKNOWN_ID = "01890000-0000-7000-8000-000000000000"
ROLES = ("seers", "launchers", "readers", "openers", "revokers", "retriers")
VERBS = ("see", "launch", "read", "read_result", "revoke", "retry")
TASKS = f"""
version: 1
roles: {{{", ".join(f"{role}: One verb." for role in ROLES)}, strangers: Only theirs., statists: Stats., bosses: All powers.}}
admin: {{stats: [statists, bosses], config: [bosses], reload: [bosses], metrics: [bosses], audit: [bosses]}}
tasks:
  shop.order:
    parameters: {{item: {{type: string}}}}
    examples: [{{item: tea}}]
    access: {{{", ".join(f"{verb}: [{role}]" for verb, role in zip(VERBS, ROLES, strict=True))}}}
  shop.orders:
    access: {{launch: [strangers], read: [strangers], read_result: [strangers], revoke: [strangers], retry: [strangers]}}
"""
NEEDS = {
    "showTaskType": "see",
    "launch": "launch",
    "showTask": "read",
    "streamTask": "read",
    "showResult": "read_result",
    "revokeTask": "revoke",
    "retryTask": "retry",
}
"""What each operation on one task type, or one of its tasks, needs; all others answer by what their caller sees."""
CALLERS = ("nobody", "-", *ROLES, "strangers", "statists", "bosses", "admin")


@pytest.fixture
async def http(backend: MemoryBackend, changes: MemoryChanges) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a guarded app of `TASKS`."""
    transport = httpx.ASGITransport(make_app(backend, changes), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


def make_app(backend: MemoryBackend, changes: MemoryChanges | None = None) -> Any:
    """Build the app of `TASKS` with a caller for each role."""
    return build_app(make_site(backend, TASKS, changes=changes, is_guarded=True), FixedCallers())


def key(role: str) -> dict[str, str]:
    """Present a role's key."""
    return {"X-API-Key": role} if role != "nobody" else {}


async def launch(http: httpx.AsyncClient, backend: MemoryBackend, task_type: str = "shop.order") -> str:
    """Launch a task that has failed, with a message."""
    body = {"item": "tea"} if task_type == "shop.order" else {}
    answer = await http.post(f"{API}/tasks/launch/{task_type}", json=body, headers=key("admin"))
    task_id: str = answer.json()["task_id"]
    backend.records[task_id] = b'{"status": "FAILURE", "result": {"exc_type": "E", "exc_message": ["hunter2"]}}'
    return task_id


def list_operations() -> list[tuple[str, str, str, str]]:
    """List (operation, method, path, right) of every route there is."""
    fixed = [(o.operation_id, o.method, (API if o.is_prefixed else "") + o.path, o.right) for o in OPERATIONS]
    return [*fixed, ("launch", "post", f"{API}/tasks/launch/shop.order", KNOWN)]


def expect(operation: str, right: str, role: str) -> set[int]:
    """Tell which statuses a caller may get."""
    allowed = {200, 202, 204, 409, 422}
    if right == OPEN:
        return allowed
    if role == "nobody":
        return {401}
    if right in POWERS:
        has = role in {"bosses", "admin"} or (role, right) == ("statists", "stats")
        return allowed if has else {403}
    verb = NEEDS.get(operation)
    if verb is None:
        return allowed
    held = set(VERBS) if role == "admin" else {dict(zip(ROLES, VERBS, strict=True)).get(role)}
    if held & set(GIVEN_BY[verb]):  # type: ignore[index] # a verb by its name
        return allowed
    seen = held & set(GIVEN_BY["see" if verb in {"see", "launch"} else "read"])
    return {403} if seen else {404} if operation != "launch" else {404, 422}


@pytest.mark.parametrize("role", CALLERS)
async def test_every_route_decides_by_role(http: httpx.AsyncClient, backend: MemoryBackend, role: str) -> None:
    """As a table that is written down here a second time says, and not otherwise."""
    wrong = {}
    for operation, method, path, right in list_operations():
        if operation == "streamAllTasks" and role != "nobody":
            continue  # it never ends; what it tells is a test of its own
        task_id = await launch(http, backend)
        url = path.replace("{task_id}", task_id).replace("{task_type}", "shop.order")
        body: Any = {"item": "tea"} if path.endswith("shop.order") else {}
        if path.endswith("/tasks/launch"):
            body = {"task_type": "shop.order", "params": {"item": "tea"}}
        content: dict[str, Any] = {"json": body} if method == "post" else {}
        answer = await http.request(method, url, headers=key(role), **content)
        if answer.status_code not in expect(operation, right, role):
            wrong[operation, path] = answer.status_code

    assert {} == wrong


def test_every_route_has_a_right_and_says_so(backend: MemoryBackend) -> None:
    """The framework's as the table of operations has it; one without is no app at all."""
    gate = make_app(backend)
    assert isinstance(gate, Gate)
    assert isinstance(gate.behind, LaunchDoor)
    assert isinstance(gate.behind.behind, TaskDoor)
    framework: Any = gate.behind.behind.behind
    declared = {(o.method.upper(), (API if o.is_prefixed else "") + o.path): o.right for o in OPERATIONS}

    for route in framework.routes:
        for handler in route.route_handlers:
            path = re.sub(r":str\}", "}", route.path)
            for method in handler.http_methods - {"OPTIONS"}:
                page = KNOWN if path == "/openapi.json" else OPEN
                assert declared.get((method, path), page) == handler.opt["right"], path
    with pytest.raises(Exception, match="nobody has decided who may use"):
        check_handlers([undecided])


@get("/undecided")
async def undecided() -> None:
    """Be a route of which nobody said who may use it."""


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="none"),
        pytest.param([("X-API-Key", "")], id="empty"),
        pytest.param([("X-API-Key", "nobody")], id="unknown"),
        pytest.param([("Authorization", "admin")], id="no scheme"),
        pytest.param([("Authorization", "Basic YWRtaW46")], id="another scheme"),
        pytest.param([("Authorization", "Bearer ")], id="bearer of nothing"),
        pytest.param([("Authorization", "Bearer admin"), ("Authorization", "Bearer admin")], id="twice"),
        pytest.param([("Authorization", "Bearer admin"), ("X-API-Key", "admin")], id="both"),
        pytest.param([("X-API-Key", "admin"), ("X-API-Key", "admin")], id="key twice"),
        pytest.param([("X-API-Key", "a" * 8193)], id="over-long"),
    ],
)
@pytest.mark.parametrize("url", [f"{API}/tasks", f"{API}/tasks?api_key=admin", "/nowhere", f"{API}/tasks/{UNKNOWN_ID}"])
async def test_whoever_is_not_known_gets_one_answer(
    http: httpx.AsyncClient, headers: list[tuple[str, str]], url: str
) -> None:
    """It does not say why, and offers the scheme; no key is ever read from a URL."""
    answer = await http.get(url, headers=headers)

    assert (401, 'Bearer realm="task-gateway"') == (answer.status_code, answer.headers["www-authenticate"])
    path = url.partition("?")[0]
    assert {
        "type": "urn:task-gateway:problem:unauthorized",
        "title": "Unauthorized",
        "status": 401,
        "detail": "send a valid API key or token: Authorization: Bearer …, or X-API-Key",
        "instance": path,
        "code": "unauthorized",
    } == answer.json()


async def test_a_key_may_come_either_way(http: httpx.AsyncClient) -> None:
    """The scheme in any case."""
    for headers in ({"X-API-Key": "admin"}, {"Authorization": "Bearer admin"}, {"authorization": "bEARER admin"}):
        assert 200 == (await http.get(f"{API}/tasks", headers=headers)).status_code


@pytest.mark.parametrize("role", ["seers", "launchers", "statists", "strangers", "-"])
async def test_a_task_one_may_not_read_is_one_that_never_was(
    http: httpx.AsyncClient, backend: MemoryBackend, role: str
) -> None:
    """Byte by byte, on every route of it, also when it has been forgotten."""
    task_id = await launch(http, backend)
    calls = [
        (method, f"{API}/tasks/{{}}{rest}{query}")
        for method, rest in (("GET", ""), ("GET", "/result"), ("GET", "/events"), ("DELETE", ""), ("POST", "/retry"))
        for query in (("",) if rest else ("", "?wait_s=1", "?terminate=true"))
        if method == ("DELETE" if "terminate" in query else "GET" if query else method)
    ]

    for is_forgotten in (False, True):
        if is_forgotten:
            backend.forget(task_id)
        for method, url in calls:
            answers = [
                await http.request(method, url.format(each), headers=key(role)) for each in (task_id, UNKNOWN_ID)
            ]
            bodies = [
                each.content.replace(id_.encode(), b"")
                for each, id_ in zip(answers, (task_id, UNKNOWN_ID), strict=True)
            ]
            assert [404, 404] == [each.status_code for each in answers], url
            assert bodies[0] == bodies[1]
            assert answers[0].headers.keys() == answers[1].headers.keys()


async def test_how_long_it_takes_tells_neither(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """The two medians lie within a fraction of a millisecond of a processor, which is all that is spent here."""
    task_id = await launch(http, backend)
    times: dict[str, list[float]] = {task_id: [], UNKNOWN_ID: []}
    for _ in range(60):
        for each, taken in times.items():
            began = time.thread_time()
            await http.get(f"{API}/tasks/{each}", headers=key("strangers"))
            taken.append(time.thread_time() - began)

    medians = [sorted(each)[len(each) // 2] for each in times.values()]
    assert abs(medians[0] - medians[1]) < 0.0005


async def test_a_forgotten_task_is_told_to_whoever_may_read_all(
    http: httpx.AsyncClient, backend: MemoryBackend
) -> None:
    """410, as without authentication."""
    task_id = await launch(http, backend)
    backend.forget(task_id)

    assert 410 == (await http.get(f"{API}/tasks/{task_id}", headers=key("admin"))).status_code


async def test_names_are_told_to_those_who_may_see_them(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """Catalog, OpenAPI, history, near misses and every refusal; `shop.orders` holds the name of the other."""
    await launch(http, backend)
    told = []
    for method, url, body in (
        ("GET", f"{API}/tasks", None),
        ("GET", "/openapi.json", None),
        ("GET", f"{API}/tasks/history", None),
        ("GET", f"{API}/tasks/types/shop.orde", None),
        ("POST", f"{API}/tasks/launch/shop.orde", {}),
        ("POST", f"{API}/tasks/launch", {"task_type": "shop.orde", "params": {}}),
        ("POST", f"{API}/tasks/launch/batch", {"items": [{"task_type": "shop.orde", "params": {}}]}),
        ("POST", f"{API}/tasks/retry", {"task_type": "shop.orde"}),
    ):
        answer = await http.request(method, url, json=body, headers=key("strangers"))
        told.append(answer.text)

    assert [] == [each for each in told if re.search(r"shop\.order\b", each)]
    assert any("shop.orders" in each for each in told)


async def test_what_a_task_said_is_for_those_who_may_read_it(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """A reader gets the status without it, wherever it stands."""
    task_id = await launch(http, backend)
    for url in (f"{API}/tasks/{task_id}", f"{API}/tasks/history", f"{API}/tasks/{task_id}/events"):
        withheld = (await http.get(url, headers=key("readers"))).text
        told = (await http.get(url, headers=key("openers"))).text

        assert (True, False) == ("FAILURE" in withheld, "hunter2" in withheld), url
        assert "hunter2" in told

    status = (await http.get(f"{API}/tasks/{task_id}", headers=key("readers"))).json()
    assert ("withheld", "key:admin") == (status["result_omitted"], status["launched_by"])


async def test_history_holds_what_one_may_read_and_says_nothing_of_the_rest(
    http: httpx.AsyncClient, backend: MemoryBackend
) -> None:
    """A filter by a type that one may not read finds as little as one that never was."""
    own = [await launch(http, backend, "shop.orders") for _ in range(2)]
    for _ in range(3):
        await launch(http, backend)

    page = (await http.get(f"{API}/tasks/history", headers=key("strangers"))).json()
    hidden, none = [
        (await http.get(f"{API}/tasks/history?task_type={each}&limit=1", headers=key("strangers"))).json()
        for each in ("shop.order", "nothing")
    ]

    assert own[::-1] == [each["task_id"] for each in page["items"]]
    assert {"items": [], "next_cursor": None} == hidden == none


@pytest.mark.parametrize(("verb", "role"), [("revoke", "revokers"), ("retry", "retriers")])
async def test_many_are_dealt_with_only_where_one_may(
    http: httpx.AsyncClient, backend: MemoryBackend, verb: str, role: str
) -> None:
    """What one may not see does not match, what one may see and not do is refused by name."""
    for task_type in ("shop.order", "shop.orders"):
        task_id = await launch(http, backend, task_type)
        if verb == "revoke":
            del backend.records[task_id]

    async def ask(who: str, body: dict[str, Any]) -> httpx.Response:
        return await http.post(f"{API}/tasks/{verb}?dry_run=true", json=body, headers=key(who))

    both = {"since": "2020-01-01T00:00:00Z"}
    assert [1, 2, 0] == [(await ask(who, both)).json()["matched"] for who in (role, "admin", "-")]
    assert 0 == (await ask(role, {"task_type": "shop.orders"})).json()["matched"]
    assert (403, "forbidden") == (
        (answer := await ask("seers", {"task_type": "shop.order"})).status_code,
        answer.json()["code"],
    )


async def test_a_retry_with_other_params_is_a_launch(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """Whoever may only retry may have the same again."""
    task_id = await launch(http, backend)

    other = await http.post(f"{API}/tasks/{task_id}/retry", json={"params": {"item": "gin"}}, headers=key("retriers"))
    same = await http.post(f"{API}/tasks/{task_id}/retry", json={}, headers=key("retriers"))

    assert (403, 200) == (other.status_code, same.status_code)
    assert "key:retriers" == backend.rows[same.json()["task_id"]].entry.launched_by


async def test_an_idempotency_key_is_its_callers_own(http: httpx.AsyncClient) -> None:
    """Another caller's same key and body is another launch."""

    async def ask(who: str) -> httpx.Response:
        headers = key(who) | {"Idempotency-Key": "k"}
        return await http.post(f"{API}/tasks/launch/shop.order", json={"item": "tea"}, headers=headers)

    first, again, other = await ask("launchers"), await ask("launchers"), await ask("admin")

    assert first.json()["task_id"] == again.json()["task_id"] != other.json()["task_id"]


async def test_a_wait_needs_the_right_to_read(http: httpx.AsyncClient) -> None:
    """Without it the launch is answered at once."""
    answer = await http.post(
        f"{API}/tasks/launch/shop.order", json={"item": "tea"}, headers=key("launchers") | {"Prefer": "wait=30"}
    )

    assert (202, False) == (answer.status_code, "preference-applied" in answer.headers)


async def test_an_item_of_a_batch_is_refused_by_itself(http: httpx.AsyncClient) -> None:
    """As the others are launched."""
    items = [{"task_type": each, "params": {}} for each in ("shop.orders", "shop.order", "nothing")]
    answer = await http.post(f"{API}/tasks/launch/batch", json={"items": items}, headers=key("strangers"))

    codes = [each["problem"]["code"] if "problem" in each else "launched" for each in answer.json()["items"]]
    assert ["launched", "unknown_task_type", "unknown_task_type"] == codes


async def test_readiness_keeps_its_words_for_those_who_may_read_them(
    http: httpx.AsyncClient, backend: MemoryBackend
) -> None:
    """A probe needs no key, and learns what it needs."""
    backend.warnings = ("the server at db.internal loses data",)

    open_, told = [(await http.get("/health/ready", headers=key(each))).text for each in ("nobody", "bosses")]

    assert (True, False) == ('"status":"ready"' in open_, "db.internal" in open_)
    assert "db.internal" in told


async def test_a_view_is_nothing_unless_the_gate_made_it(backend: MemoryBackend) -> None:
    """Whatever reaches the doors past the gate finds nothing there."""
    gate = make_app(backend)
    transport = httpx.ASGITransport(gate.behind, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as past:
        answers = [
            await past.get(f"{API}/tasks"),
            await past.get(f"{API}/config"),
            await past.post(f"{API}/tasks/launch/shop.order", json={"item": "tea"}),
        ]

    assert [401, 401, 404] == [each.status_code for each in answers]
