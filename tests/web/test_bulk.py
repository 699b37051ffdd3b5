"""Retries and revokes of many tasks over HTTP."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from gateway.backends.memory import MemoryBackend
from gateway.errors import BrokerUnavailableError
from gateway.flows import bulk
from gateway.launch.offer import Offer, Outcome
from gateway.web.app import build_app
from tests.web.conftest import make_site

API = "/api/celery"
FAILED = b'{"status": "FAILURE", "result": {"exc_type": "E", "exc_message": ["no"]}}'
STARTED = b'{"status": "STARTED", "result": {}}'
DONE = b'{"status": "SUCCESS", "result": 1}'


async def launch(http: httpx.AsyncClient, backend: MemoryBackend, record: bytes | None, **params: object) -> str:
    """Launch a task that comes as far as its record says; return its id."""
    answer = await http.post(f"{API}/tasks/launch/shop.order", json={"item": "tea"} | params)
    task_id = str(answer.json()["task_id"])
    if record is not None:
        backend.records[task_id] = record
    return task_id


async def post(http: httpx.AsyncClient, path: str, **body: object) -> dict[str, Any]:
    """Send a body that is accepted; return the answer."""
    answer = await http.post(f"{API}/tasks/{path}", json=body)
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    return read


async def test_what_failed_is_retried_once(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """A dry run tells what would be; what cannot be retried says why; going on finds nothing that was."""
    ids = [await launch(http, backend, record) for record in (FAILED, DONE, None, FAILED)]
    secret = await launch(http, backend, FAILED, token="hunter2")

    dry = await post(http, "retry?dry_run=true", task_type="shop.order")
    count = len(backend.published)
    wet = await post(http, "retry", task_type="shop.order")
    again = await post(http, "retry", task_type="shop.order")

    assert (3, 0, 1, True, True) == tuple(
        dry[name] for name in ("matched", "retried", "refused", "is_complete", "dry_run")
    )
    assert {secret: "refused_params", ids[0]: "matched", ids[3]: "matched"} == name_outcomes(dry)
    assert (5, 7) == (count, len(backend.published))
    assert (3, 2, 1) == (wet["matched"], wet["retried"], wet["refused"])
    assert {secret: "refused_params", ids[0]: "retried", ids[3]: "retried"} == name_outcomes(wet)
    assert {ids[0], ids[3]} == {each.lineage.retry_of for each in backend.published if each.lineage}
    assert (1, 0, 1) == (again["matched"], again["retried"], again["refused"])


def name_outcomes(answer: dict[str, Any]) -> dict[str, str]:
    """Return the outcome of each task."""
    return {each["task_id"]: each["outcome"] for each in answer["items"]}


async def test_a_click_and_a_filter_make_one_retry(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """They claim the same task."""
    task_id = await launch(http, backend, FAILED)

    clicked = await http.post(f"{API}/tasks/{task_id}/retry")
    swept = await post(http, "retry", status="FAILURE")

    assert 200 == clicked.status_code
    assert (0, []) == (swept["matched"], swept["items"])


async def test_what_has_not_ended_is_revoked_once(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """Waiting or running; to stop what runs is another wish."""
    waiting, running, _ = [await launch(http, backend, record) for record in (None, STARTED, DONE)]

    dry = await post(http, "revoke?dry_run=true", task_type="shop.order")
    untouched = list(backend.revokes)
    wet = await post(http, "revoke", task_type="shop.order")
    again = await post(http, "revoke", task_type="shop.order")
    harder = await post(http, "revoke", task_type="shop.order", terminate=True)

    assert ({waiting: "matched", running: "matched"}, []) == (name_outcomes(dry), untouched)
    assert (2, 2, 0, True, False) == tuple(
        wet[name] for name in ("matched", "revoked", "finished", "is_complete", "dry_run")
    )
    assert {waiting: "revoked", running: "revoked"} == name_outcomes(wet)
    assert (0, []) == (again["matched"], again["items"])
    assert running in name_outcomes(harder)
    assert (running, True) == (backend.revokes[-1].task_id, backend.revokes[-1].terminate)


@pytest.mark.parametrize("path", ["retry", "revoke"])
async def test_more_than_one_request_does_goes_on_where_it_ended(
    http: httpx.AsyncClient, backend: MemoryBackend, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """By its cursor, or by asking again."""
    monkeypatch.setattr(bulk, "MOST", 3)
    ids = {await launch(http, backend, FAILED if path == "retry" else None) for _ in range(8)}

    first = await post(http, path, task_type="shop.order")
    second = await post(http, path, task_type="shop.order", cursor=first["next_cursor"])
    third = await post(http, path, task_type="shop.order")

    assert [(3, False), (3, False), (2, True)] == [
        (each["matched"], each["is_complete"]) for each in (first, second, third)
    ]
    assert ids == {task_id for each in (first, second, third) for task_id in name_outcomes(each)}
    assert third["next_cursor"] is None


@pytest.mark.parametrize("path", ["retry", "revoke"])
@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({}, "", "wanted at least one of task_type, status, since, until, batch"),
        ({"status": None}, "", "wanted at least one of task_type, status, since, until, batch"),
        ({"since": "yesterday"}, "/since", "wanted a moment with its UTC offset, as 2026-01-31T12:00:00Z"),
        ({"batch": "1"}, "/batch", "wanted an id from a receipt"),
        ({"task_type": 1}, "/task_type", "wanted a string of 1 to 128 characters"),
        ({"color": "red"}, "/color", "no such member"),
        ({"task_type": "a", "cursor": "x"}, "/cursor", "wanted the next_cursor of an earlier page"),
        ([], "", "wanted a JSON object"),
    ],
)
async def test_what_is_no_filter_is_refused(
    http: httpx.AsyncClient, path: str, body: object, pointer: str, detail: str
) -> None:
    """With a pointer to the member."""
    answer = await http.post(f"{API}/tasks/{path}", json=body)

    assert 422 == answer.status_code
    assert [(pointer, detail)] == [(each["pointer"], each["detail"]) for each in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("retry", "STARTED", "a task that has not ended cannot be retried"),
        ("revoke", "SUCCESS", "a task that has ended cannot be revoked"),
    ],
)
async def test_a_status_that_cannot_be_is_refused(http: httpx.AsyncClient, path: str, status: str, detail: str) -> None:
    """Rather than matching nothing."""
    answer = await http.post(f"{API}/tasks/{path}", json={"status": status})

    assert (422, [detail]) == (answer.status_code, [each["detail"] for each in answer.json()["errors"]])


class FallingBroker(MemoryBackend):
    """A broker that goes away after some launches."""

    def __init__(self, falls_after: int) -> None:
        super().__init__()
        self.falls_after = falls_after

    async def publish(self, offers: Sequence[Offer], *, all_or_nothing: bool = False) -> list[Outcome]:
        """Publish as many as it has left."""
        left = max(0, self.falls_after - len(self.published))
        published = await super().publish(offers[:left], all_or_nothing=all_or_nothing)
        return published + [BrokerUnavailableError("it is away") for _ in offers[left:]]


@pytest.mark.parametrize(("falls_after", "expected"), [(4, (503, None)), (5, (200, 1))])
async def test_a_broker_that_goes_away_ends_the_request(falls_after: int, expected: tuple[int, int | None]) -> None:
    """With what was done by then; with 503 when that is nothing."""
    backend = FallingBroker(falls_after)
    transport = httpx.ASGITransport(build_app(make_site(backend)))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        for _ in range(4):
            await launch(http, backend, FAILED)

        answer = await http.post(f"{API}/tasks/retry", json={"status": "FAILURE"})

    assert expected == (answer.status_code, answer.json().get("retried"))
    assert answer.json().get("is_complete") is not True


@pytest.mark.timeout(10)
@pytest.mark.parametrize(("path", "step"), [("retry", "find_kept"), ("revoke", "record_revocations")])
async def test_a_ledger_that_freezes_midway_ends_the_request(path: str, step: str, backend: MemoryBackend) -> None:
    """In the time of one request, however far it had come."""

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    site = make_site(backend)
    app = build_app(replace(site, services=replace(site.services, deadline_s=0.2)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http:
        await launch(http, backend, FAILED if path == "retry" else None)
        setattr(backend, step, hang)

        answer = await http.post(f"{API}/tasks/{path}", json={"task_type": "shop.order"})

    assert (503, "1") == (answer.status_code, answer.headers["retry-after"])
