"""Concurrency limits and full queues over HTTP: what a caller reads."""

from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.backends.memory import MemoryBackend
from gateway.web.app import build_app
from tests.web.conftest import make_site

API = "/api/celery"
TASKS = """
version: 1
tasks:
  reject:
    parameters: {company: {type: string}, months: {type: integer, default: 1}}
    concurrency: {key: [company]}
  join:
    parameters: {company: {type: string}}
    concurrency: {key: [company], on_conflict: join_existing}
  replace:
    parameters: {company: {type: string}}
    concurrency: {key: [company], limit: 2, on_conflict: replace}
  narrow:
    queue: narrow
    max_queued: 2
  rated:
    rate_limit: 2/h
"""


@pytest.fixture
async def http(backend: MemoryBackend) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the app of `TASKS`."""
    transport = httpx.ASGITransport(build_app(make_site(backend, TASKS)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


async def post(http: httpx.AsyncClient, task_type: str, company: str = "a", **headers: str) -> httpx.Response:
    """Launch a task of a company."""
    return await http.post(f"{API}/tasks/launch/{task_type}", json={"company": company}, headers=headers)


async def test_a_second_launch_of_the_same_key_is_refused_and_names_the_holder(http: httpx.AsyncClient) -> None:
    """409; params that are no part of the key make no difference, and another key has places of its own."""
    first = (await post(http, "reject")).json()

    second = await http.post(f"{API}/tasks/launch/reject", json={"company": "a", "months": 9})
    other = await post(http, "reject", "b")

    assert (409, "concurrency_limit") == (second.status_code, second.json()["code"])
    assert [first["task_id"]] == second.json()["holders"]
    assert 202 == other.status_code


async def test_a_place_is_free_again_when_its_task_has_ended(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """However it ended."""
    for status in (b"SUCCESS", b"FAILURE", b"REVOKED"):
        receipt = (await post(http, "reject")).json()
        assert 409 == (await post(http, "reject")).status_code
        backend.records[receipt["task_id"]] = b'{"status": "%s", "result": null}' % status

    assert 202 == (await post(http, "reject")).status_code


async def test_a_second_launch_joins_the_first(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """It gets that one's receipt, which says so; under a key it gets it for good."""
    first = (await post(http, "join")).json()
    key = {"Idempotency-Key": "k"}

    second = (await post(http, "join")).json()
    keyed = (await post(http, "join", **key)).json()
    backend.records[first["task_id"]] = b'{"status": "SUCCESS"}'
    again = await post(http, "join", **key)

    assert first | {"message": "joined the join that is under way", "is_joined": True} == second
    assert second == keyed == again.json()
    assert "true" == again.headers["idempotency-replayed"]
    assert 1 == len(backend.published)


async def test_a_launch_replaces_the_oldest(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """The receipt names it, its status shows the revoke, and the workers are told to stop it."""
    ids = [(await post(http, "replace")).json()["task_id"] for _ in range(2)]
    backend.take(ids[0])

    third = (await post(http, "replace")).json()
    status = (await http.get(f"{API}/tasks/{ids[0]}")).json()

    assert ids[:1] == third["replaced"]
    assert [(ids[0], True)] == [(each.task_id, each.terminate) for each in backend.revokes]
    assert (True, None) == (status["revocation"]["terminate"], status["revocation"]["confirmed_at"])


async def test_a_queue_that_is_full_takes_no_more(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """503 with the time to come back."""
    for _ in range(2):
        assert 202 == (await http.post(f"{API}/tasks/launch/narrow", json={})).status_code

    full = await http.post(f"{API}/tasks/launch/narrow", json={})

    assert (503, "queue_full", "1") == (full.status_code, full.json()["code"], full.headers["retry-after"])
    assert "2 messages wait in its queue already" == full.json()["detail"]
    assert 2 == len(backend.published)


async def test_a_batch_is_judged_item_by_item(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """The items before it count; all or nothing launches nothing when one has no place."""
    items = [{"task_type": "reject", "params": {"company": company}} for company in "aab"]

    whole = (await http.post(f"{API}/tasks/launch/batch", json={"items": items, "all_or_nothing": True})).json()[
        "items"
    ]
    launched = len(backend.published)
    single = (await http.post(f"{API}/tasks/launch/batch", json={"items": items})).json()["items"]

    assert ["withheld", "concurrency_limit", "withheld"] == [each["problem"]["code"] for each in whole]
    assert 0 == launched
    assert [None, "concurrency_limit", None] == [each.get("problem", {}).get("code") for each in single]
    assert 2 == len(backend.published)


async def test_a_caller_that_launched_as_often_as_it_may_hears_when_it_may_again(
    http: httpx.AsyncClient, backend: MemoryBackend
) -> None:
    """429, also for a retry; a dry run uses nothing up, and what is not limited says nothing of limits."""
    path = f"{API}/tasks/launch/rated"
    await http.post(f"{path}?dry_run=true", json={})
    first = await http.post(path, json={})
    task_id = first.json()["task_id"]
    backend.records[task_id] = b'{"status": "FAILURE", "result": null}'

    retried = await http.post(f"{API}/tasks/{task_id}/retry")
    forced = await http.post(f"{API}/tasks/{task_id}/retry", json={"force": True})
    launched = await http.post(path, json={})
    many = (await http.post(f"{API}/tasks/retry", json={"task_type": "rated"})).json()

    assert '"task-type";r=1;t=3600' == first.headers["ratelimit"]
    assert ('"task-type";q=2;w=3600', '"task-type";r=0;t=3600') == (
        retried.headers["ratelimit-policy"],
        retried.headers["ratelimit"],
    )
    for refused in (forced, launched):
        assert (429, "rate_limited") == (refused.status_code, refused.json()["code"])
        assert {"3600"} == {refused.headers["retry-after"], str(refused.json()["retry_after_s"])}
        assert '"task-type";r=0;t=3600' == refused.headers["ratelimit"]
    assert 2 == len(backend.published)
    assert 0 == many["retried"]
    assert "ratelimit" not in (await post(http, "reject")).headers
