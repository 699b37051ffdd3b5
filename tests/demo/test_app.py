"""The demo's tasks, run by a real worker against a real broker."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from redis import Redis

from gateway.demo.valkey import embedded_valkey

WORKER = (sys.executable, "-m", "celery", "-q", "-A", "gateway.demo.app", "worker", "--pool", "solo", "-l", "INFO")


class Client:
    """Launches by name and reads the stored results: it shares no code with the tasks."""

    def __init__(self, celery: Celery, redis: Redis) -> None:
        self._celery = celery
        self._redis = redis

    def launch(self, name: str, params: dict[str, Any], *, queue: str = "sii") -> str:
        """Send one task; answer its id."""
        return str(self._celery.send_task(name, kwargs=params, queue=queue).id)

    def follow(self, task_id: str) -> list[dict[str, Any]]:
        """Read what is stored of a task until it has ended; answer each different record, the last one final."""
        records: list[dict[str, Any]] = []
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            record = json.loads(self._redis.get(f"celery-task-meta-{task_id}") or "{}")
            if record and record not in records:
                records.append(record)
            if record.get("status") in {"SUCCESS", "FAILURE"}:
                return records
            time.sleep(0.002)
        pytest.fail(f"the task has not ended: {records}")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Run a worker that consumes every queue of the demo, and answer a client of it."""
    with embedded_valkey() as url:
        worker = subprocess.Popen(
            [*WORKER, "--without-gossip", "--without-mingle"],
            env=os.environ | {"GATEWAY_BROKER_URL": url, "GATEWAY_RESULT_URL": url, "DEMO_TASK_SECONDS": "0.2"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with contextlib.closing(Celery(broker=url)) as celery, Redis.from_url(url) as redis:
                yield Client(celery, redis)
        finally:
            worker.terminate()
            worker.wait(20)


@pytest.mark.parametrize(
    ("name", "params", "queue", "expected"),
    [
        pytest.param(
            "sii.sync_documents",
            {"company_id": "76123456-7", "months": 3},
            "sii",
            {"company_id": "76123456-7", "months": 3, "documents": 111},
            id="one company's documents",
        ),
        pytest.param(
            "sii.sync_documents",
            {"company_id": "a"},
            "celery",
            {"company_id": "a", "months": 1, "documents": 37},
            id="months default to one",
        ),
        pytest.param(
            "sii.sync_documents_all",
            {"months": 2},
            "sii",
            {"companies": 3, "months": 2, "documents": 222},
            id="every company's documents",
        ),
        pytest.param(
            "sii.sync_f29",
            {"company_id": "a", "year": 2025},
            "sii",
            {"company_id": "a", "year": 2025, "forms": 12},
            id="one company's forms",
        ),
        pytest.param(
            "sii.sync_f29_all",
            {"year": 2025},
            "celery",
            {"companies": 3, "year": 2025, "forms": 36},
            id="every company's forms",
        ),
    ],
)
def test_a_task_answers_a_summary(
    client: Client, name: str, params: dict[str, Any], queue: str, expected: dict[str, Any]
) -> None:
    """Every task runs from either queue and returns its JSON summary."""
    *_, last = client.follow(client.launch(name, params, queue=queue))

    assert (last["status"], last["result"]) == ("SUCCESS", expected)
    assert (last["name"], last["queue"]) == (name, queue)


def test_a_task_reports_its_progress(client: Client) -> None:
    """A running task says how far it is before it succeeds."""
    records = client.follow(client.launch("sii.sync_f29", {"company_id": "a", "year": 2025}))

    progress = [record["result"] for record in records if record["status"] == "PROGRESS"]
    assert {"current": 3, "total": 12, "message": "form 29 of 2025-04, a"} in progress
    assert [meta["current"] for meta in progress] == sorted({meta["current"] for meta in progress})
    assert records[-1]["status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("name", "params"),
    [
        pytest.param("sii.sync_documents", {}, id="documents"),
        pytest.param("sii.sync_f29", {"year": 2025}, id="form 29"),
    ],
)
def test_the_company_named_fail_always_fails(client: Client, name: str, params: dict[str, Any]) -> None:
    """The documented company id ends in FAILURE with a plain reason."""
    *_, last = client.follow(client.launch(name, {"company_id": "fail", **params}))

    assert last["status"] == "FAILURE"
    assert last["result"]["exc_type"] == "SiiError"
    assert last["result"]["exc_message"] == ["the tax office refused the session of company 'fail'"]
