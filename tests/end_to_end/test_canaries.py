"""A secret reaches the worker's queue and nothing else: canaries through every way in, and a look at everything that comes out."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from gateway.demo.valkey import embedded_valkey
from tests.guarded import run_guarded
from tests.harness import wait_for

API = "/api/celery"
CANARY = "canary-7f3a9c-hunter2"
MARKS = (CANARY, base64.b64encode(CANARY.encode()).decode().rstrip("=")[:-1])
TASKS = """
version: 1
tasks:
  vault.open:
    parameters:
      name: {type: string, maxLength: 9}
      token: {type: string, secret: true, minLength: 3, maxLength: 40}
      nested:
        type: object
        secret: true
        required: false
        properties: {pins: {type: array, items: {type: string, maxLength: 40}}}
        additionalProperties: false
    rules:
      - {rule: "params.token != params.name", message: the token is not the name, parameter: token}
"""
SECRETS = {"token": CANARY, "nested": {"pins": ["x", CANARY]}}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Redis, Path]]:
    """A gateway that logs all it can, its Redis, and its log; no worker takes what it launches."""
    folder = tmp_path_factory.mktemp("canaries")
    (folder / "tasks.yaml").write_text(TASKS)
    with (
        embedded_valkey() as url,
        Redis.from_url(url) as redis,
        run_guarded(folder, config=folder / "tasks.yaml", broker_url=url, log_level="debug") as guarded,
        httpx.Client(base_url=guarded.url, headers={"X-API-Key": guarded.keys["admin"]}, timeout=10) as http,
    ):
        yield http, redis, folder / "gateway.log"


def send(http: httpx.Client) -> list[httpx.Response]:
    """Send canaries by every way in, good and bad."""
    good = {"name": "a", **SECRETS}
    by_name = {"task_type": "vault.open", "params": good}
    key = {"Idempotency-Key": "k"}
    posts: list[tuple[str, Any, dict[str, str]]] = [
        ("/tasks/launch", by_name, key),
        ("/tasks/launch", by_name, key),
        ("/tasks/launch", by_name | {"params": good | {"name": "b"}}, key),
        ("/tasks/launch?dry_run=true", by_name, {}),
        ("/tasks/launch/vault.open", good, {}),
        ("/tasks/launch/vault.open", good | {"name": "far too long"}, {}),
        ("/tasks/launch/vault.open", good | {"token": CANARY * 3}, {}),
        ("/tasks/launch/vault.open", good | {"token": [CANARY]}, {}),
        ("/tasks/launch/vault.open", good | {"nested": {CANARY: 1, "pins": [CANARY * 3, {"a": CANARY}]}}, {}),
        ("/tasks/launch/vault.open", {"name": "abc", "token": "abc", "nested": {"pins": [CANARY]}}, {}),
        ("/tasks/launch/batch", {"items": [by_name, by_name | {"params": {"token": [CANARY]}}]}, {}),
    ]
    answers = [http.post(API + path, json=body, headers=headers) for path, body, headers in posts]
    cut = json.dumps(good)[:-1].encode()
    answers += [
        http.post(f"{API}/tasks/launch/vault.open", content=each, headers=JSON) for each in (cut, cut + b',"token":1}')
    ]
    task_id = answers[0].json()["task_id"]
    answers.append(http.delete(f"{API}/tasks/{task_id}"))
    wait_for("the revoke", lambda: http.get(f"{API}/tasks/{task_id}").json()["status"] == "REVOKED")
    for params in ({}, SECRETS, {"token": [CANARY]}):
        answers.append(http.post(f"{API}/tasks/{task_id}/retry", json={"params": params}))
    answers.append(http.post(f"{API}/tasks/retry", json={"task_type": "vault.open", "status": "REVOKED"}))
    return answers


def test_a_secret_is_in_the_queue_and_nowhere_else(place: tuple[httpx.Client, Redis, Path]) -> None:
    """Not in an answer, the ledger, the history, metrics, the audit, OpenAPI, nor in any line of a log; nor as base64."""
    http, redis, log = place

    told = {f"{each.request.method} {each.url.path} {n}": each.text for n, each in enumerate(send(http))}
    pages = ("/tasks", "/tasks/history", "/stats", "/config", "/audit", "/drift")
    wait_for("the audit", lambda: len(http.get(f"{API}/audit").json()["items"]) > 10)
    told |= {each: http.get(API + each).text for each in pages}
    told |= {each: http.get(each).text for each in ("/metrics", "/openapi.json", "/health/ready")}
    told["log"] = log.read_text()
    queue = b"".join(redis.lrange("celery", 0, -1))
    told |= {f"redis {name!r}": repr(dump(redis, name)) for name in redis.scan_iter() if name != b"celery"}

    assert [] == [where for where, text in told.items() if any(each in text for each in MARKS)]
    bodies = [json.loads(base64.b64decode(json.loads(each)["body"])) for each in redis.lrange("celery", 0, -1)]
    assert [SECRETS] * 3 == [{name: kwargs[name] for name in SECRETS} for _, kwargs, _ in bodies]
    assert CANARY.encode() not in queue, "the message's headers hold it in clear"


def dump(redis: Redis, name: bytes) -> Any:
    """Read all of a key."""
    kind = redis.type(name).decode()
    match kind:
        case "string":
            return redis.get(name)
        case "list":
            return redis.lrange(name, 0, -1)
        case "hash":
            return redis.hgetall(name)
        case "zset":
            return redis.zrange(name, 0, -1, withscores=True)
        case "set":
            return redis.smembers(name)
        case _:
            return redis.xrange(name)
