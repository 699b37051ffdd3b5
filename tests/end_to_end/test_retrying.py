"""Retries with a real worker and two gateways: of clicks that race, one launches."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from redis import Redis

from tests.harness import finish, run_gateway

API = "/api/celery"
pytestmark = pytest.mark.usefixtures("worker")


def test_clicks_that_race_on_two_gateways_make_one_child(client: httpx.Client, valkey_url: str, tmp_path: Path) -> None:
    """While it runs none is taken; then exactly one launches, its retry likewise, and the root shows both."""
    body = {"task_type": "sii.sync_documents", "params": {"company_id": "fail"}}
    root_id = client.post(f"{API}/tasks/launch", json=body).json()["task_id"]
    early = client.post(f"{API}/tasks/{root_id}/retry")
    with run_gateway(tmp_path / "gateway.log", broker_url=valkey_url) as other, ThreadPoolExecutor(8) as pool:
        urls = [str(client.base_url).rstrip("/"), other]
        ids = [root_id]
        for _ in range(2):
            failed = finish(client, ids[-1])
            clicks = [f"{url}{API}/tasks/{ids[-1]}/retry" for url in urls * 8]
            answers = list(pool.map(lambda url: httpx.post(url, timeout=10), clicks))
            assert {200} == {answer.status_code for answer in answers}
            assert 1 == sum("idempotency-replayed" not in answer.headers for answer in answers)
            [child] = {answer.json()["task_id"] for answer in answers}
            ids.append(child)
        last = finish(client, ids[-1])
        found = client.get(f"{API}/tasks/history", params={"retry_of": root_id}).json()["items"]
    with Redis.from_url(valkey_url) as redis:
        kept_s = [redis.ttl(key) for key in redis.scan_iter("gateway:key:*")]
    root = client.get(f"{API}/tasks/{root_id}").json()

    assert (409, "task_unfinished", "FAILURE") == (early.status_code, early.json()["code"], failed["status"])
    assert [(ids[1], 2, root_id), (ids[2], 3, ids[1])] == [
        (each["task_id"], each["attempt"], each["retry_of"]) for each in root["chain"]
    ]
    assert {"FAILURE"} == {each["status"] for each in root["chain"]} | {last["status"]}
    assert [ids[1]] == [each["task_id"] for each in found]
    assert 86_400 < max(kept_s) <= 604_800  # as long as the task, not as a caller's key
