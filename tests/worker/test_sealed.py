"""Sealed secrets from a POST to a real worker: no queue holds one in clear."""

import base64
import json
from pathlib import Path

import httpx
import pytest
from redis import Redis

from gateway.demo.valkey import embedded_valkey
from tests.harness import finish, run_gateway, run_worker

API = "/api/celery"
CANARY = "canary-7f3a9c-hunter2"
KEY, OLD = (base64.b64encode(bytes([filling]) * 32).decode() for filling in (0xFB, 7))
TASKS = """
version: 1
tasks:
  vault.open:
    parameters:
      name: {type: string}
      token: {type: object, secret: true, properties: {pins: {type: array, items: {type: string}}}}
"""


@pytest.mark.timeout(60)
def test_a_sealed_secret_is_opened_in_its_task_and_nowhere_before(tmp_path: Path) -> None:
    """Under the key of its launch, while keys are changed; a replay under an idempotency key is still the same request."""
    (tmp_path / "tasks.yaml").write_text(TASKS)
    params = {"name": "a", "token": {"pins": [CANARY, "b"]}}
    with embedded_valkey() as url, Redis.from_url(url) as redis:
        ids = []
        for key in (OLD, f"{KEY},{OLD}"):
            log = tmp_path / "gateway.log"
            with (
                run_gateway(log, config=tmp_path / "tasks.yaml", broker_url=url, secret_key=key) as base,
                httpx.Client(base_url=base) as http,
            ):
                answers = [
                    http.post(f"{API}/tasks/launch/vault.open", json=params, headers={"Idempotency-Key": key[:9]})
                    for _ in range(2)
                ]
                ids.append(answers[0].json()["task_id"])
                assert [answers[0].json()] * 2 == [each.json() for each in answers]
        messages = [json.loads(each) for each in redis.lrange("celery", 0, -1)]
        bodies = [base64.b64decode(each["body"]).decode() for each in messages]
        with (
            run_gateway(log, config=tmp_path / "tasks.yaml", broker_url=url) as base,
            httpx.Client(base_url=base) as http,
            run_worker(tmp_path / "worker.log", url, app="tests.worker.sealed_app", GATEWAY_SECRET_KEY=f"{KEY},{OLD}"),
        ):
            ends = [finish(http, each) for each in ids]

    assert 2 == len(messages)
    assert not any(CANARY in each for each in bodies)
    assert ["sealed:1:"] * 2 == [json.loads(each)[1]["token"][:9] for each in bodies]
    assert ["a: 2 pins, the first one of 21 characters"] * 2 == [each["result"] for each in ends]
