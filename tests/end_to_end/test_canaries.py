"""A secret reaches the worker's queue and nothing else: canaries through every way in, and a look at everything that comes out."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from kombu import Connection
from redis import Redis

from gateway.demo.valkey import embedded_valkey
from tests.collector import Collector, run_collector
from tests.guarded import run_guarded
from tests.harness import ROOT, clean_environment, wait_for

API = "/api/celery"
CANARY = "canary-7f3a9c-hunter2"
MARKS = (CANARY, *(base64.b64encode(b"x" * at + CANARY.encode())[4:-4].decode() for at in range(3)))
"""The value itself, and what of it stands in the base64 of whatever holds it."""
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


class Place(NamedTuple):
    """A gateway that logs and traces all it can; no worker takes what it launches."""

    http: httpx.Client
    redis: Redis
    broker_url: str
    log: Path
    collector: Collector

    def find(self, told: dict[str, str]) -> list[str]:
        """Find where a canary is."""
        return [where for where, text in told.items() if any(each in text for each in MARKS)]

    def dump(self) -> dict[str, str]:
        """Read all of Redis."""
        return {name.decode(): repr(dump(self.redis, name)) for name in self.redis.scan_iter()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One for all tests."""
    folder = tmp_path_factory.mktemp("canaries")
    (folder / "tasks.yaml").write_text(TASKS)
    with run_collector() as collector, embedded_valkey() as url, Redis.from_url(url) as redis:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        settings = {"config": folder / "tasks.yaml", "broker_url": url, "log_level": "debug", "variables": variables}
        with (
            run_guarded(folder, **settings) as guarded,
            httpx.Client(base_url=guarded.url, headers={"X-API-Key": guarded.keys["admin"]}, timeout=10) as http,
        ):
            yield Place(http, redis, url, folder / "gateway.log", collector)


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


def test_a_secret_is_in_the_queue_and_nowhere_else(place: Place) -> None:
    """Not in an answer, the ledger, the history, metrics, traces, the audit, OpenAPI, nor in any line of a log."""
    http, redis = place.http, place.redis
    redis.delete("celery")

    told = {f"{each.request.method} {each.url.path} {n}": each.text for n, each in enumerate(send(http))}
    pages = ("/tasks", "/tasks/history", "/stats", "/config", "/audit", "/drift")
    wait_for("the audit", lambda: len(http.get(f"{API}/audit").json()["items"]) > 10)
    told |= {each: http.get(API + each).text for each in pages}
    told |= {each: http.get(each).text for each in ("/metrics", "/openapi.json", "/health/ready")}
    wait_for(
        "the spans", lambda: len([each for each in place.collector.spans if each.attributes.get("http.route")]) > 10
    )
    told |= {f"span {n}": each.raw for n, each in enumerate(place.collector.spans)}
    told["log"] = place.log.read_text()
    stored = place.dump()

    assert [] == place.find(told)
    assert ["celery"] == place.find(stored)
    bodies = [json.loads(base64.b64decode(json.loads(each)["body"])) for each in redis.lrange("celery", 0, -1)]
    assert [SECRETS] * 3 == [{name: kwargs[name] for name in SECRETS} for _, kwargs, _ in bodies]
    assert CANARY not in stored["celery"], "the message's headers hold it in clear"


def test_what_a_worker_holds_is_kept_by_celery_alone(place: Place) -> None:
    """In `unacked`, until the worker confirms it."""
    place.redis.delete("celery")
    place.http.post(f"{API}/tasks/launch/vault.open", json={"name": "a", **SECRETS})

    with Connection(place.broker_url) as connection, connection.SimpleQueue("celery") as queue:
        queue.get(timeout=5)
        stored = place.dump()

    assert ["unacked"] == place.find(stored)


def test_the_client_says_no_secret(place: Place, tmp_path: Path) -> None:
    """Neither of what it sent, nor of what was refused."""
    (tmp_path / "token").write_text(CANARY)
    key = str(place.http.headers["X-API-Key"])
    told: dict[str, str] = {}

    def run(*words: str) -> str:
        env = clean_environment() | {"GATEWAY_URL": str(place.http.base_url), "GATEWAY_API_KEY": key}
        command = [sys.executable, "-m", "gateway", *words]
        ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30, check=False)
        told[" ".join(words[:2])] = f"{ended.stdout}{ended.stderr}"
        return ended.stdout

    token = f"token=@{tmp_path}/token"
    task_id = json.loads(run("launch", "vault.open", "name=a", token, "--json"))["task_id"]
    run("launch", "vault.open", "name=much too long", token)
    run("launch", "vault.open", "name=a", f'token:=["{CANARY}"]', "--dry-run")
    run("status", task_id)
    run("status", task_id, "--json")
    run("revoke", task_id)
    run("retry", task_id, token, "--json")
    run("history", "--json")

    assert [] == place.find(told)
    assert [] == [words for words, text in told.items() if key in text]


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
