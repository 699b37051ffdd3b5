"""The demo's tasks, run by a real worker against a real broker."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import TimeoutError as CeleryTimeoutError

from gateway.demo.valkey import embedded_valkey

WORKER = (sys.executable, "-m", "celery", "-q", "-A", "gateway.demo.app", "worker", "--pool", "solo", "-l", "INFO")


@pytest.fixture(scope="module")
def client() -> Iterator[Celery]:
    """Run a worker that consumes every queue of the demo; answer a client that shares none of its code."""
    with embedded_valkey() as url:
        environment = os.environ | {"GATEWAY_BROKER_URL": url, "GATEWAY_RESULT_URL": url, "DEMO_TASK_SECONDS": "0.2"}
        worker = subprocess.Popen(
            [*WORKER, "--without-gossip", "--without-mingle"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        app = Celery("client", broker=url, backend=url)
        app.conf.task_serializer = "json"
        try:
            yield app
        finally:
            worker.terminate()
            worker.wait(20)
            app.close()


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
    client: Celery, name: str, params: dict[str, Any], queue: str, expected: dict[str, Any]
) -> None:
    """Every task runs from either queue and returns its JSON summary."""
    result = client.send_task(name, kwargs=params, queue=queue)

    assert expected == result.get(timeout=20)


def test_a_task_reports_its_progress(client: Celery) -> None:
    """A running task says how far it is before it succeeds."""
    result = client.send_task("sii.sync_f29", kwargs={"company_id": "a", "year": 2025}, queue="sii")

    seen = []
    deadline = time.monotonic() + 20
    while not result.ready() and time.monotonic() < deadline:
        state, info = result.state, result.info
        if state == "PROGRESS" and isinstance(info, dict) and "current" in info:
            seen.append(info)
        time.sleep(0.005)

    assert result.get(timeout=1)["forms"] == 12
    assert seen
    assert seen[-1]["total"] == 12
    assert sorted(meta["current"] for meta in seen) == [meta["current"] for meta in seen]
    assert seen[0]["message"].startswith("form 29 of 2025-")


@pytest.mark.parametrize(
    ("name", "params"),
    [
        pytest.param("sii.sync_documents", {}, id="documents"),
        pytest.param("sii.sync_f29", {"year": 2025}, id="form 29"),
    ],
)
def test_the_company_named_fail_always_fails(client: Celery, name: str, params: dict[str, Any]) -> None:
    """The documented company id ends in FAILURE with a plain reason."""
    result = client.send_task(name, kwargs={"company_id": "fail", **params}, queue="sii")

    result.get(timeout=20, propagate=False)

    assert result.state == "FAILURE"
    assert str(result.result) == "the tax office refused the session of company 'fail'"


def test_the_worker_leaves_nothing_waiting(client: Celery) -> None:
    """A result that nobody produces is not there: the tests above proved the worker, not a stale store."""
    with pytest.raises(CeleryTimeoutError):
        client.AsyncResult("00000000-0000-0000-0000-000000000000").get(timeout=0.2)
