"""What a launch does while no live worker would run it, over HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from gateway.backends.memory import MemoryBackend
from gateway.ports import WorkersView, WorkerView
from gateway.web.app import build_app
from tests.web.conftest import make_site

API = "/api/celery"
TASKS = """
version: 1
defaults: {queue: q, when_unavailable: reject}
tasks:
  strict: {}
  kind: {when_unavailable: warn}
  patient: {when_unavailable: queue}
"""
REASON = "no worker is online"


@pytest.fixture
async def http(backend: MemoryBackend) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway that knows that nobody is there."""
    see(backend)
    transport = httpx.ASGITransport(build_app(make_site(backend, TASKS)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


def see(backend: MemoryBackend, *names: str, as_of: datetime | None = None) -> None:
    """Let a worker register names; nobody is there without any."""
    workers = {"w": WorkerView(registered=names, queues=("q",))} if names else {}
    backend.workers_view = WorkersView(workers=workers, queues={}, as_of=as_of or datetime.now(UTC))


async def launch(http: httpx.AsyncClient, task_type: str, key: str | None = None, **query: str) -> httpx.Response:
    """Launch by name."""
    headers = {"Idempotency-Key": key} if key else {}
    return await http.post(f"{API}/tasks/launch", json={"task_type": task_type}, headers=headers, params=query)


async def test_each_policy_does_what_it_says(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """`reject` leaves nothing behind; the receipt of `queue` has the members that it always had."""
    strict, kind, patient = [await launch(http, each) for each in ("strict", "kind", "patient")]

    assert (503, "task_unavailable", f"strict is not launched now: {REASON}", "1") == (
        strict.status_code, strict.json()["code"], strict.json()["detail"], strict.headers["retry-after"],
    )  # fmt: skip
    assert (200, [REASON]) == (kind.status_code, kind.json()["warnings"])
    assert (200, False) == (patient.status_code, "warnings" in patient.json())
    assert ["kind", "patient"] == [each.task_type for each in backend.published]


async def test_where_a_worker_would_run_it_nothing_is_said(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """Whatever the policy."""
    see(backend, "strict", "kind", "patient")

    answers = [await launch(http, each) for each in ("strict", "kind", "patient")]

    assert [(200, False)] * 3 == [(each.status_code, "warnings" in each.json()) for each in answers]


@pytest.mark.parametrize("seconds", [None, 60], ids=["never heard", "stale"])
async def test_while_nothing_is_known_nothing_is_refused(
    http: httpx.AsyncClient, backend: MemoryBackend, seconds: int | None
) -> None:
    """A broker that cannot be asked is no worker that is not there."""
    as_of = None if seconds is None else datetime.fromtimestamp(datetime.now(UTC).timestamp() - seconds, UTC)
    backend.workers_view = WorkersView(workers={}, queues={}, as_of=as_of)

    answer = await launch(http, "strict")

    assert 200 == answer.status_code


async def test_a_key_that_was_used_is_answered_as_the_first_time(
    http: httpx.AsyncClient, backend: MemoryBackend
) -> None:
    """Its task was launched, and workers that leave do not undo that."""
    see(backend, "strict")
    first = await launch(http, "strict", key="k")
    see(backend)
    again, other = await launch(http, "strict", key="k"), await launch(http, "strict", key="l")
    see(backend, "strict")
    late = await launch(http, "strict", key="l")

    assert (200, first.json(), "true") == (again.status_code, again.json(), again.headers.get("idempotency-replayed"))
    assert [503, 200] == [other.status_code, late.status_code]


async def test_a_dry_run_says_the_same(http: httpx.AsyncClient) -> None:
    """It is the same path up to the broker."""
    strict, kind, patient = [await launch(http, each, dry_run="true") for each in ("strict", "kind", "patient")]

    assert (503, 200, [REASON]) == (strict.status_code, kind.status_code, kind.json()["warnings"])
    assert "warnings" not in patient.json()


@pytest.mark.parametrize(
    ("policy", "expected"),
    [({}, ["task_unavailable", None, None]), ({"all_or_nothing": True}, ["task_unavailable", "withheld", "withheld"])],
)
async def test_an_item_of_a_batch_is_refused_alone_or_with_all(
    http: httpx.AsyncClient, backend: MemoryBackend, policy: dict[str, bool], expected: list[str | None]
) -> None:
    """As for any other reason that is not its params."""
    items = [{"task_type": each} for each in ("strict", "kind", "patient")]

    answer = await http.post(f"{API}/tasks/launch/batch", json={"items": items, **policy})

    assert expected == [each.get("problem", {}).get("code") for each in answer.json()["items"]]
    assert expected.count(None) == len(backend.published)


async def test_a_retry_is_a_launch(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """It is refused as one, and works when somebody is there again."""
    see(backend, "strict")
    task_id = (await launch(http, "strict")).json()["task_id"]
    backend.records[task_id] = b'{"status": "FAILURE", "result": {"exc_type": "E", "exc_message": "m"}}'
    see(backend)
    refused = await http.post(f"{API}/tasks/{task_id}/retry")
    see(backend, "strict")
    accepted = await http.post(f"{API}/tasks/{task_id}/retry")

    assert [(503, "task_unavailable"), (200, None)] == [
        (each.status_code, each.json().get("code")) for each in (refused, accepted)
    ]


async def test_drift_is_told(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """With the catalog that it was compared with."""
    see(backend, "strict", "kind", "old")

    drift: dict[str, Any] = (await http.get(f"{API}/drift")).json()

    assert ("drift", 1) == (drift["status"], drift["workers"])
    assert ["no_worker", "undeclared"] == [each["kind"] for each in drift["differences"]]
    assert drift["digest"] == (await http.get(f"{API}/drift")).headers.get("gateway-digest", drift["digest"])
