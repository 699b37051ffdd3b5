"""Waits and event streams over HTTP, with whoever plays the worker in the same process."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.backends.memory import MemoryBackend
from gateway.backends.memory_changes import MemoryChanges
from gateway.web.app import build_app
from gateway.web.shedding import Shedder
from tests.web.conftest import make_site

API = "/api/celery"
SUCCESS = b'{"status": "SUCCESS", "result": 7}'
PROGRESS = b'{"status": "PROGRESS", "result": {"current": 1, "total": 4}}'

pytestmark = pytest.mark.timeout(20)


async def launch(http: httpx.AsyncClient) -> str:
    """Launch a task."""
    receipt = (await http.post(f"{API}/tasks/launch/shop.order", json={"item": "tea"})).json()
    return str(receipt["task_id"])


def read_events(text: str) -> list[tuple[str, str, Any]]:
    """Split a stream into (id, event, data); comments and hints aside."""
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith((":", "retry")))
        if fields:
            events.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
    return events


async def test_a_long_poll_answers_at_the_next_change(http: httpx.AsyncClient, changes: MemoryChanges) -> None:
    """And not before; what changed is in the answer."""
    task_id = await launch(http)

    polling = asyncio.create_task(http.get(f"{API}/tasks/{task_id}?wait_s=10"))
    await changes.until_watched()
    changes.write(task_id, PROGRESS)
    answer = await polling

    assert (200, "PROGRESS", 25.0) == (
        answer.status_code, answer.json()["status"], answer.json()["progress"]["percent"],
    )  # fmt: skip


async def test_a_long_poll_answers_when_its_time_is_over(http: httpx.AsyncClient) -> None:
    """The status is as it was; one that is final needs no wait."""
    task_id = await launch(http)

    answer = await http.get(f"{API}/tasks/{task_id}?wait_s=0.05")

    assert (200, "PENDING") == (answer.status_code, answer.json()["status"])


@pytest.mark.parametrize("wait_s", ["-1", "121", "soon"])
async def test_a_wait_has_bounds(http: httpx.AsyncClient, wait_s: str) -> None:
    """Longer than two minutes no request is held."""
    answer = await http.get(f"{API}/tasks/{await launch(http)}?wait_s={wait_s}")

    assert (422, "/query/wait_s") == (answer.status_code, answer.json()["errors"][0]["pointer"])


@pytest.mark.parametrize("path", ["/tasks/launch/shop.order", "/tasks/launch"])
async def test_a_launch_waits_if_asked(
    http: httpx.AsyncClient, backend: MemoryBackend, changes: MemoryChanges, path: str
) -> None:
    """200 with the final status when it ended in time, whatever it went through before."""
    body = {"item": "tea"} if "shop" in path else {"task_type": "shop.order", "params": {"item": "tea"}}

    launching = asyncio.create_task(http.post(f"{API}{path}", json=body, headers={"Prefer": "wait=10"}))
    await changes.until_watched()
    for raw in (PROGRESS, SUCCESS):
        changes.write(backend.published[0].task_id, raw)
    answer = await launching

    assert (200, "wait=10", "SUCCESS", 7) == (
        answer.status_code, answer.headers["preference-applied"], answer.json()["status"], answer.json()["result"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        pytest.param("wait=0", "wait=0", id="not at all"),
        pytest.param('respond-async, WAIT = "0"', "wait=0", id="among others, quoted, in capitals"),
        pytest.param("wait=-1", None, id="not a number of seconds"),
        pytest.param("await=5", None, id="another word"),
        pytest.param("return=minimal", None, id="another preference"),
    ],
)
async def test_a_launch_that_has_not_ended_in_time_is_accepted(
    http: httpx.AsyncClient, prefer: str, applied: str | None
) -> None:
    """202 and the receipt; a preference that is not understood is ignored."""
    answer = await http.post(f"{API}/tasks/launch/shop.order", json={"item": "tea"}, headers={"Prefer": prefer})

    assert (202, applied, "PENDING") == (
        answer.status_code, answer.headers.get("preference-applied"), answer.json()["status"],
    )  # fmt: skip


async def test_a_stream_tells_every_status_and_ends(http: httpx.AsyncClient, changes: MemoryChanges) -> None:
    """Each with an id, equal ones once; the final one closes it."""
    task_id = await launch(http)

    streaming = asyncio.create_task(http.get(f"{API}/tasks/{task_id}/events"))
    await changes.until_read(task_id)
    for raw in (PROGRESS, PROGRESS, SUCCESS):
        changes.write(task_id, raw)
    answer = await streaming
    events = read_events(answer.text)

    assert (200, "text/event-stream; charset=utf-8", "no-store") == (
        answer.status_code, answer.headers["content-type"], answer.headers["cache-control"],
    )  # fmt: skip
    assert [("1-0", "status", "PENDING"), ("2-0", "status", "PROGRESS"), ("4-0", "final", "SUCCESS")] == [
        (entry_id, event, data["status"]) for entry_id, event, data in events
    ]
    assert 7 == events[-1][2]["result"]


async def test_a_stream_goes_on_behind_what_was_seen(http: httpx.AsyncClient, changes: MemoryChanges) -> None:
    """Nothing twice, nothing missing; who has seen the end gets 204, which ends an EventSource."""
    task_id = await launch(http)
    streaming = asyncio.create_task(http.get(f"{API}/tasks/{task_id}/events"))
    await changes.until_read(task_id)
    for raw in (PROGRESS, SUCCESS):
        changes.write(task_id, raw)
    whole = read_events((await streaming).text)

    resumed = [
        await http.get(f"{API}/tasks/{task_id}/events", headers={"Last-Event-ID": entry_id}) for entry_id, _, _ in whole
    ]

    assert [whole[1:], whole[2:]] == [read_events(answer.text) for answer in resumed[:2]]
    assert (204, "") == (resumed[2].status_code, resumed[2].text)


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        pytest.param("01890000-0000-7000-8000-00000000000f/events", {}, (404, "unknown_task"), id="unknown"),
        pytest.param("x/events", {}, (404, "not_found"), id="no id"),
        pytest.param("{}/events?a=1", {}, (422, "refused_params"), id="query"),
        pytest.param("{}/events", {"Last-Event-ID": "x"}, (400, "malformed_body"), id="what was seen is garbage"),
    ],
)
async def test_a_stream_that_cannot_be_is_a_problem(
    http: httpx.AsyncClient, path: str, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    """Told before the stream begins."""
    answer = await http.get(f"{API}/tasks/{path.format(await launch(http))}", headers=headers)

    assert expected == (answer.status_code, answer.json()["code"])


async def test_a_stop_ends_waits_and_streams(http: httpx.AsyncClient, changes: MemoryChanges) -> None:
    """A wait is answered as it stands; a stream says bye, so that its client goes to another gateway."""
    task_id = await launch(http)

    streaming = asyncio.create_task(http.get(f"{API}/tasks/{task_id}/events"))
    polling = asyncio.create_task(http.get(f"{API}/tasks/{task_id}?wait_s=60"))
    await changes.until_watched(2)
    await changes.until_read(task_id)
    changes.stop()

    assert ["status", "bye"] == [event for _, event, _ in read_events((await streaming).text)]
    assert "PENDING" == (await polling).json()["status"]


@pytest.fixture
async def shedder(backend: MemoryBackend, changes: MemoryChanges) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway that lets one request work, and two wait."""
    app = Shedder(build_app(make_site(backend, changes=changes)), max_requests=1, max_waits=2, max_body_bytes=4096)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        yield client


async def test_those_that_wait_take_no_place_of_those_that_work(
    shedder: httpx.AsyncClient, changes: MemoryChanges
) -> None:
    """And have a limit of their own."""
    task_id = await launch(shedder)

    waiting = []
    for count in (1, 2):
        waiting.append(asyncio.create_task(shedder.get(f"{API}/tasks/{task_id}?wait_s=60")))
        await changes.until_watched(count)
    refused = await shedder.get(f"{API}/tasks/{task_id}?wait_s=60")
    works = await shedder.get(f"{API}/tasks/{task_id}")
    changes.write(task_id, SUCCESS)
    answers = await asyncio.gather(*waiting)
    after = await shedder.get(f"{API}/tasks/{task_id}?wait_s=60")

    assert (503, "gateway_busy") == (refused.status_code, refused.json()["code"])
    assert [200] * 4 == [answer.status_code for answer in (works, *answers, after)]


async def test_a_client_that_leaves_is_waited_for_no_more(backend: MemoryBackend, changes: MemoryChanges) -> None:
    """Its place is free at once."""
    app = build_app(make_site(backend, changes=changes))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http:
        task_id = await launch(http)
    leaves = asyncio.Event()

    async def receive() -> Any:
        await leaves.wait()
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None: ...

    for path in (f"{API}/tasks/{task_id}", f"{API}/tasks/{task_id}/events"):
        query = b"wait_s=60" if path.endswith(task_id) else b""
        scope = {"type": "http", "method": "GET", "path": path, "query_string": query, "headers": []}
        serving = asyncio.ensure_future(app(scope, receive, send))
        await changes.until_watched()
        leaves.set()
        await serving
        leaves.clear()

        assert 0 == changes.count_watches()


async def test_the_feed_tells_of_all_tasks_or_of_those_of_a_type(
    http: httpx.AsyncClient, changes: MemoryChanges
) -> None:
    """From now on, or behind what was seen; what is told twice is news once."""
    order, close = await launch(http), (await http.post(f"{API}/tasks/launch/shop.close", json={})).json()["task_id"]
    feeds = [
        asyncio.create_task(http.get(f"{API}/tasks/events{query}"))
        for query in ("", "?task_type=shop.close", "?task_type=x")
    ]
    await changes.until_watched(3)
    for task_id, raw in ((order, PROGRESS), (close, SUCCESS), (order, PROGRESS), (close, SUCCESS), (order, SUCCESS)):
        changes.write(task_id, raw)
        await asyncio.sleep(0)
    await changes.feed.until_read(5, by=3)
    changes.stop()
    told = [read_events((await feed).text) for feed in feeds]
    again = asyncio.create_task(http.get(f"{API}/tasks/events", headers={"Last-Event-ID": told[0][0][0]}))
    await changes.until_watched()
    await changes.feed.until_read(5, by=4)
    changes.stop()
    resumed = read_events((await again).text)

    assert [(order, "PROGRESS"), (close, "SUCCESS"), (order, "SUCCESS")] == [
        (data["task_id"], data["status"]) for _, kind, data in told[0] if kind == "status"
    ]
    assert [("shop.close", "SUCCESS")] == [
        (data["task_type"], data["status"]) for _, kind, data in told[1] if kind == "status"
    ]
    assert ["bye"] == [kind for _, kind, _ in told[2]]
    assert told[0][1:] == resumed
