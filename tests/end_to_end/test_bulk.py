"""Many tasks at once on two gateways and a real Redis: each is revoked and retried once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from tests.harness import run_gateway

API = "/api/celery"
COUNT = 600
TASKS = "version: 1\ntasks: {nobody.takes: {queue: nobody}}\n"


def post(url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send a body that is accepted."""
    answer = httpx.post(f"{url}{API}/tasks/{path}", json=body, timeout=20)
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    return read


def go_on(url: str, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Ask until there is no more."""
    answers = [post(url, path, body)]
    while not answers[-1]["is_complete"] and len(answers) < 100:
        answers.append(post(url, path, body))
    return answers


def test_two_gateways_deal_with_each_task_once(lone_valkey_url: str, tmp_path: Path) -> None:
    """All are taken out of the queue, and each is put back there once under a new id, whoever asks how often."""
    config = tmp_path / "tasks.yaml"
    config.write_text(TASKS)
    settings = {"broker_url": f"{lone_valkey_url[:-1]}7", "key_prefix": "bulk:"}
    with (
        Redis.from_url(settings["broker_url"]) as redis,
        run_gateway(tmp_path / "a.log", config=config, **settings) as first,
        run_gateway(tmp_path / "b.log", config=config, **settings) as second,
        ThreadPoolExecutor(4) as pool,
    ):
        batch = post(first, "launch/batch", {"items": [{"task_type": "nobody.takes"}] * COUNT})
        dry = post(second, "revoke?dry_run=true", {"batch": batch["batch_id"]})
        waiting = [redis.llen("nobody")]
        revoked = go_on(first, "revoke", {"batch": batch["batch_id"]})
        waiting.append(redis.llen("nobody"))
        asked = [(url, "retry", {"batch": batch["batch_id"], "status": "REVOKED"}) for url in (first, second) * 2]
        retried = [each for answers in pool.map(lambda each: go_on(*each), asked) for each in answers]
        waiting.append(redis.llen("nobody"))
        chain = httpx.get(f"{first}{API}/tasks/{batch['items'][0]['receipt']['task_id']}").json()["chain"]

    assert (COUNT, 0) == (dry["matched"], dry["revoked"])
    assert COUNT == sum(each["revoked"] for each in revoked)
    assert [COUNT, 0, COUNT] == waiting
    assert COUNT == sum(each["retried"] for each in retried)
    assert 0 == sum(each["refused"] for each in retried)
    assert 1 == len(chain)
