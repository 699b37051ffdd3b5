"""From a POST to a finished task, with a real server, a real Valkey and a real Celery worker."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.end_to_end.test_streams import read_stream, until_ended
from tests.harness import finish, run_gateway, run_worker, wait_for

API = "/api/celery"
pytestmark = pytest.mark.usefixtures("worker")


def launch(client: httpx.Client, task_type: str, **params: object) -> str:
    """Launch by name; return the task id."""
    answer = client.post(f"{API}/tasks/launch", json={"task_type": task_type, "params": params})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


def test_the_client_of_the_older_gateway_works_word_for_word(client: httpx.Client) -> None:
    """The six endpoints keep their contract."""
    launched = client.post(
        "/api/celery/tasks/launch", json={"task_type": "sii.sync_documents", "params": {"company_id": "test"}}
    )
    task_id = launched.json()["task_id"]
    status = client.get(f"/api/celery/tasks/{task_id}")
    catalog = client.get("/api/celery/tasks").json()
    stats = wait_for("a look at the worker", lambda: client.get("/api/celery/stats").json()["workers"])
    finish(client, task_id)
    too_late = client.delete(f"/api/celery/tasks/{task_id}")
    retried = client.post(f"/api/celery/tasks/{task_id}/retry")

    assert 200 == launched.status_code
    assert (200, task_id) == (status.status_code, status.json()["task_id"])
    assert isinstance(catalog, list)
    assert {"sii.sync_documents", "sii.sync_documents_all", "sii.sync_f29", "sii.sync_f29_all"} == {
        entry["task_type"] for entry in catalog
    }
    assert "sii.sync_f29" in next(iter(stats.values()))["registered"]
    assert 409 == too_late.status_code
    assert 200 == retried.status_code
    assert task_id != retried.json()["task_id"]


@pytest.mark.parametrize(
    ("task_type", "params", "result"),
    [
        ("sii.sync_documents", {"company_id": "76.1-K"}, {"company_id": "76.1-K", "months": 1, "documents": 37}),
        ("sii.sync_documents_all", {"months": 2}, {"companies": 3, "months": 2, "documents": 222}),
        ("sii.sync_f29", {"company_id": "a", "year": 2025}, {"company_id": "a", "year": 2025, "forms": 12}),
        ("sii.sync_f29_all", {"year": 2024}, {"companies": 3, "year": 2024, "forms": 36}),
    ],
)
def test_every_task_type_runs_to_success_through_its_own_route(
    client: httpx.Client, task_type: str, params: dict[str, object], result: dict[str, object]
) -> None:
    """The worker gets the params as declared, defaults filled in."""
    receipt = client.post(f"{API}/tasks/launch/{task_type}", json=params)
    status = finish(client, receipt.json()["task_id"])

    assert 202 == receipt.status_code
    assert receipt.headers["location"] == receipt.json()["status_url"]
    assert ("SUCCESS", result, None) == (status["status"], status["result"], status["error"])
    assert status["worker"].startswith("celery@")


def test_a_failed_task_says_so(client: httpx.Client) -> None:
    """FAILURE, with the exception as plain data."""
    status = finish(client, launch(client, "sii.sync_documents", company_id="fail"))

    assert "FAILURE" == status["status"]
    assert "gateway.demo.app.SiiError" == status["error"]["type"]
    assert "refused" in status["error"]["message"]
    assert "Traceback" in status["error"]["traceback"]
    assert status["result"] is None


def test_progress_is_seen_while_it_runs(client: httpx.Client) -> None:
    """A running task tells how far it is; one that ran before anybody looked is launched again."""
    running = [launch(client, "sii.sync_f29", company_id="a", year=2025)]

    def look() -> dict[str, Any] | None:
        status = client.get(f"{API}/tasks/{running[-1]}").json()
        if status["status"] == "SUCCESS":
            running.append(launch(client, "sii.sync_f29", company_id="a", year=2025))
        progress: dict[str, Any] | None = status["progress"]
        return progress

    progress = wait_for("progress", look, limit_s=30)

    assert 12 == progress["total"]
    assert progress["percent"] == pytest.approx(100 * progress["current"] / 12, abs=0.1)
    assert "form 29 of 2025" in progress["message"]


def test_a_gateway_on_its_own_tells_every_status_of_all_tasks(client: httpx.Client, gateway_url: str) -> None:
    """Those that only the worker knows of too, with no other gateway that would hear of them."""
    feed = read_stream(f"{gateway_url}{API}/tasks/events")
    first = next(feed)[1]
    told = until_ended(feed, {launch(client, "sii.sync_documents", company_id="a")})

    assert "heartbeat" == first
    assert ["PENDING", "STARTED", "PROGRESS", "SUCCESS"] == [data["status"] for _, _, data in told]


def test_a_retry_launches_again_with_the_first_params(client: httpx.Client) -> None:
    """A new id, linked to the old one; overrides win."""
    first = launch(client, "sii.sync_documents", company_id="abc", months=2)
    finish(client, first)

    second = client.post(f"{API}/tasks/{first}/retry").json()
    finish(client, second["task_id"])
    third = client.post(f"{API}/tasks/{second['task_id']}/retry", json={"params": {"months": 3}}).json()

    assert (first, first, 2) == (second["retry_of"], second["root_id"], second["attempt"])
    assert (second["task_id"], first, 3) == (third["retry_of"], third["root_id"], third["attempt"])
    assert {"company_id": "abc", "months": 3, "documents": 111} == finish(client, third["task_id"])["result"]


def test_a_retry_while_it_runs_is_a_conflict(client: httpx.Client) -> None:
    """Nothing is launched."""
    task_id = launch(client, "sii.sync_f29_all", year=2025)

    answer = client.post(f"{API}/tasks/{task_id}/retry")

    assert (409, "task_unfinished") == (answer.status_code, answer.json()["code"])
    finish(client, task_id)


def test_a_delayed_task_can_be_revoked(client: httpx.Client) -> None:
    """Requested first, confirmed once Celery reports it; the body never runs."""
    body = {"task_type": "sii.sync_documents", "params": {"company_id": "x"}, "options": {"countdown_s": 1}}
    task_id = client.post(f"{API}/tasks/launch", json=body).json()["task_id"]

    answer = client.delete(f"{API}/tasks/{task_id}")
    status = finish(client, task_id)

    assert 200 == answer.status_code
    assert answer.json()["revocation"]["requested_at"]
    assert answer.json()["revocation"]["confirmed_at"] is None
    assert "REVOKED" == status["status"]
    assert status["revocation"]["requested_at"] == answer.json()["revocation"]["requested_at"]
    assert status["revocation"]["confirmed_at"]


def test_a_running_task_can_be_terminated(lone_valkey_url: str, logs: Path) -> None:
    """`terminate=true` stops the process that runs it."""
    with (
        run_worker(logs / "slow.log", f"{lone_valkey_url[:-1]}5", DEMO_TASK_SECONDS="60"),
        run_gateway(logs / "terminate.log", broker_url=f"{lone_valkey_url[:-1]}5") as url,
        httpx.Client(base_url=url) as http,
    ):
        task_id = launch(http, "sii.sync_f29_all", year=2025)
        wait_for("the start", lambda: http.get(f"{API}/tasks/{task_id}").json()["progress"])

        answer = http.delete(f"{API}/tasks/{task_id}", params={"terminate": "true", "signal": "SIGKILL"})
        status = finish(http, task_id)

    assert answer.json()["message"].endswith("to stop it with SIGKILL")
    assert ("REVOKED", True) == (status["status"], status["revocation"]["terminate"])


@pytest.fixture
def greeting(tmp_path: Path) -> Path:
    """The shipped tasks.yaml with one more entry, served by an existing Celery task."""
    config = tmp_path / "tasks.yaml"
    config.write_text(
        Path("tasks.yaml").read_text()
        + """
  greet:
    name: sii.sync_documents
    description: A task type that nobody wrote Python for.
    parameters:
      company_id: {type: string, enum: [ada, grace]}
      months: {type: integer, default: 2}
"""
    )
    return config


@pytest.fixture
def grown(greeting: Path, valkey_url: str, logs: Path) -> Iterator[httpx.Client]:
    """A gateway that serves it."""
    with (
        run_gateway(logs / "grown.log", config=greeting, broker_url=valkey_url) as url,
        httpx.Client(base_url=url) as http,
    ):
        yield http


def test_an_entry_in_the_file_is_all_that_a_new_task_type_takes(grown: httpx.Client) -> None:
    """Validator, catalog entry, launch route and OpenAPI operation come from the YAML alone."""
    entry = grown.get(f"{API}/tasks/types/greet").json()
    operation = grown.get("/openapi.json").json()["paths"][f"{API}/tasks/launch/greet"]["post"]
    refused = grown.post(f"{API}/tasks/launch/greet", json={"company_id": "bob"})
    launched = grown.post(f"{API}/tasks/launch/greet", json={"company_id": "ada"})

    assert ("greet", "sii.sync_documents", "Greet") == (entry["task_type"], entry["name"], entry["title"])
    assert ["company_id"] == entry["parameters"]["required"]
    assert {"$ref": "#/components/schemas/greet.params"} == operation["requestBody"]["content"]["application/json"][
        "schema"
    ]
    assert (422, "/company_id", "enum") == (
        refused.status_code,
        refused.json()["errors"][0]["pointer"],
        refused.json()["errors"][0]["code"],
    )
    assert {"company_id": "ada", "months": 2, "documents": 74} == finish(grown, launched.json()["task_id"])["result"]


def test_a_batch_runs_every_item(client: httpx.Client) -> None:
    """Real tasks, in one request."""
    items = [{"task_type": "sii.sync_documents", "params": {"company_id": str(number)}} for number in range(5)]

    outcomes = client.post(f"{API}/tasks/launch/batch", json={"items": [*items, {"task_type": "nothing"}]}).json()[
        "items"
    ]
    results = [finish(client, each["receipt"]["task_id"])["result"]["company_id"] for each in outcomes[:-1]]

    assert [str(number) for number in range(5)] == results
    assert "unknown_task_type" == outcomes[-1]["problem"]["code"]


def test_equal_posts_over_three_gateways_make_one_task(lone_valkey_url: str, logs: Path) -> None:
    """Two hundred at once under one key: one task, one message, and all get its id."""
    url = f"{lone_valkey_url[:-1]}9"
    body = {"task_type": "sii.sync_documents", "params": {"company_id": "once"}}
    with ExitStack() as stack:
        bases = [stack.enter_context(run_gateway(logs / f"once-{n}.log", broker_url=url)) for n in range(3)]
        threads = stack.enter_context(ThreadPoolExecutor(50))

        def post(number: int) -> httpx.Response:
            headers = {"Idempotency-Key": f"round-{number // 200}"}
            return httpx.post(f"{bases[number % 3]}{API}/tasks/launch", json=body, headers=headers, timeout=20)

        answers = list(threads.map(post, range(400)))
        with Redis.from_url(url) as client:
            queued = client.llen("sii")

    assert {200} == {answer.status_code for answer in answers}
    assert [1, 1] == [len({answer.json()["task_id"] for answer in half}) for half in (answers[:200], answers[200:])]
    assert 2 == len([answer for answer in answers if "idempotency-replayed" not in answer.headers])
    assert 2 == queued
