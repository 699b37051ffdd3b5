"""The ledger learns how tasks ended though nobody asks: real workers, two gateways, a gateway that sleeps."""

from pathlib import Path

import httpx
import pytest
from redis import Redis

from tests.harness import find_listener, run_gateway, suspended, wait_for

API = "/api/celery"
pytestmark = pytest.mark.usefixtures("worker")


def launch(url: str, company_id: str) -> str:
    """Launch a task and never look at it."""
    body = {"task_type": "sii.sync_documents", "params": {"company_id": company_id}}
    answer = httpx.post(f"{url}{API}/tasks/launch", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


def wait_for_ends(redis: Redis, prefix: str, ids: list[str]) -> None:
    """Wait until the ledger holds the end of each."""
    wait_for("the ends in the ledger", lambda: redis.exists(*(f"{prefix}end:{each}" for each in ids)) == len(ids))


def test_an_end_outlives_the_result_that_nobody_read(valkey_url: str, client: httpx.Client) -> None:
    """The result expires; that the task succeeded, or why it failed, does not."""
    url = str(client.base_url).rstrip("/")
    ids = [launch(url, company_id) for company_id in ("a", "b", "fail")]

    with Redis.from_url(valkey_url) as redis:
        wait_for_ends(redis, "gateway:", ids)
        redis.delete(*(f"celery-task-meta-{each}" for each in ids))  # as by expiry
    statuses = [client.get(f"{API}/tasks/{each}").json() for each in ids]

    assert ["SUCCESS", "SUCCESS", "FAILURE"] == [status["status"] for status in statuses]
    assert {"expired"} == {status["result_omitted"] for status in statuses}
    assert {None} == {status["result"] for status in statuses}
    assert all(status["finished_at"] and status["worker"].startswith("celery@") for status in statuses)
    assert "refused the session" in statuses[2]["error"]["message"]


def test_a_gateway_that_sleeps_is_replaced_and_wakes_up_without_harm(valkey_url: str, tmp_path: Path) -> None:
    """The other one takes the lease over; the first, when it wakes up, finds its token refused and looks on."""
    settings = {"broker_url": valkey_url, "key_prefix": "sleepy:"}
    with (
        Redis.from_url(valkey_url) as redis,
        run_gateway(tmp_path / "first.log", **settings) as first,
    ):
        wait_for("the first lease", lambda: redis.get("sleepy:settler"))
        with run_gateway(tmp_path / "second.log", **settings) as second:
            with suspended(find_listener(first)):
                slept = [launch(second, "a") for _ in range(3)]
                wait_for_ends(redis, "sleepy:", slept)
                after_sleep = redis.get("sleepy:settler")
            awake = [launch(first, "a") for _ in range(3)]
            wait_for_ends(redis, "sleepy:", awake)
            after_waking = redis.get("sleepy:settler")

    assert (b"2", b"2") == (after_sleep, after_waking)
