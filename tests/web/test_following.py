"""Status, revoke and retry over HTTP."""

from datetime import UTC, datetime

import httpx
import pytest

from gateway.backends.memory import MemoryBackend, Revoke
from gateway.ports import WorkersView, WorkerView

API = "/api/celery"


async def launch(http: httpx.AsyncClient) -> str:
    """Launch something; return its id."""
    return str((await http.post(f"{API}/tasks/launch/shop.close", json={})).json()["task_id"])


async def test_a_status_has_every_member(http: httpx.AsyncClient) -> None:
    """Members without a value are null, never absent."""
    status = (await http.get(f"{API}/tasks/{await launch(http)}")).json()

    assert {
        "task_id", "task_type", "name", "status", "result", "error", "progress", "launched_at", "launched_by", "started_at",
        "finished_at", "queued_s", "run_s", "worker", "retries", "redeliveries", "retry_of", "root_id", "attempt",
        "revocation",
        "expires_at", "generation", "digest", "result_omitted", "result_url", "worker_lost_at", "stalled_because",
        "batch_id", "chain",
    } == status.keys()  # fmt: skip
    assert ("PENDING", 1, 1, 0) == (status["status"], status["generation"], status["attempt"], status["retries"])


async def test_a_forgotten_task_is_gone_and_not_unknown(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """The id itself tells that it was minted here."""
    task_id = await launch(http)
    backend.forget(task_id)

    answer = await http.get(f"{API}/tasks/{task_id}")

    assert (410, "forgotten_task") == (answer.status_code, answer.json()["code"])


async def test_a_revoke_reaches_the_workers(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """Requested, not yet confirmed; the status remembers it."""
    task_id = await launch(http)
    backend.take(task_id)

    answer = await http.delete(f"{API}/tasks/{task_id}?terminate=true&signal=SIGKILL")
    status = (await http.get(f"{API}/tasks/{task_id}")).json()

    assert 200 == answer.status_code
    assert [Revoke(task_id=task_id, terminate=True, signal="SIGKILL")] == backend.revokes
    assert answer.json()["revocation"] == status["revocation"]
    assert (None, True) == (status["revocation"]["confirmed_at"], status["revocation"]["terminate"])


@pytest.mark.parametrize(
    ("query", "workers", "message"),
    [
        ("", None, "asked the workers not to run it"),
        ("", 0, "noted: no live worker is known, and those that start later are told"),
        ("", 1, "asked 1 live worker not to run it"),
        ("?terminate=true", 2, "asked 2 live workers to stop it with SIGTERM"),
    ],
)
async def test_a_revoke_says_what_is_certain(
    http: httpx.AsyncClient, backend: MemoryBackend, query: str, workers: int | None, message: str
) -> None:
    """And no more."""
    if workers is not None:
        views = {str(number): WorkerView() for number in range(workers)}
        backend.workers_view = WorkersView(workers=views, queues={}, as_of=datetime.now(UTC))
    task_id = await launch(http)
    backend.take(task_id)

    answer = (await http.delete(f"{API}/tasks/{task_id}{query}")).json()

    assert ("PENDING", message) == (answer["status"], answer["message"])


async def test_a_task_that_waits_is_taken_out(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """Then it is revoked for good, at once, and no worker is asked."""
    task_id = await launch(http)

    answer = (await http.delete(f"{API}/tasks/{task_id}")).json()
    status = (await http.get(f"{API}/tasks/{task_id}")).json()
    again = await http.delete(f"{API}/tasks/{task_id}")

    assert ("REVOKED", "taken out of the queue: it will not run") == (answer["status"], answer["message"])
    assert ("REVOKED", answer["revocation"]) == (status["status"], status["revocation"])
    assert (True, status["finished_at"]) == (
        status["revocation"]["is_withdrawn"],
        status["revocation"]["confirmed_at"],
    )
    assert 409 == again.status_code
    assert [] == backend.revokes


async def test_an_odd_signal_is_refused(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """Only signals that stop a process are sent."""
    answer = await http.delete(f"{API}/tasks/{await launch(http)}?terminate=true&signal=SIGSEGV")

    assert (422, "/query/signal") == (answer.status_code, answer.json()["errors"][0]["pointer"])
    assert not backend.revokes


@pytest.mark.parametrize("final", ["SUCCESS", "FAILURE", "REVOKED"])
async def test_what_has_ended_cannot_be_revoked_but_retried(
    http: httpx.AsyncClient, backend: MemoryBackend, final: str
) -> None:
    """409 for the revoke, a new task for the retry."""
    task_id = await launch(http)
    backend.records[task_id] = f'{{"status": "{final}", "result": null}}'.encode()

    revoked = await http.delete(f"{API}/tasks/{task_id}")
    retried = await http.post(f"{API}/tasks/{task_id}/retry")

    assert (409, "task_finished") == (revoked.status_code, revoked.json()["code"])
    assert (200, task_id) == (retried.status_code, retried.json()["retry_of"])
    assert 2 == len(backend.published)


@pytest.mark.parametrize("record", [None, b'{"status": "STARTED"}', b'{"status": "PROGRESS"}', b"garbage"])
async def test_what_has_not_ended_cannot_be_retried(
    http: httpx.AsyncClient, backend: MemoryBackend, record: bytes | None
) -> None:
    """409, and nothing is launched."""
    task_id = await launch(http)
    if record is not None:
        backend.records[task_id] = record

    answer = await http.post(f"{API}/tasks/{task_id}/retry")

    assert (409, "task_unfinished") == (answer.status_code, answer.json()["code"])
    assert 1 == len(backend.published)
