"""Rates over several gateways: what is allowed is exact, whoever is asked."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.harness import run_gateway, wait_for

API = "/api/celery"
ALLOWED = 60
TASKS = """
version: 1
tasks:
  limited:
    rate_limit: 60/m
  brief:
    rate_limit: 2/s
  free: {}
"""


@pytest.fixture(scope="module")
def gateways(lone_valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[httpx.Client]]:
    """Three gateways on one ledger, which limit a caller to 200 launches an hour in all."""
    folder = tmp_path_factory.mktemp("rates")
    config = folder / "tasks.yaml"
    config.write_text(TASKS)
    url = f"{lone_valkey_url[:-1]}9"
    with ExitStack() as stack:
        clients = []
        for number in range(3):
            log: Path = folder / f"gateway{number}.log"
            base = stack.enter_context(run_gateway(log, config=config, broker_url=url, rate_limit="200/h"))
            clients.append(stack.enter_context(httpx.Client(base_url=base, timeout=10)))
        yield clients


@pytest.fixture(autouse=True)
def empty(lone_valkey_url: str) -> None:
    """Nothing was launched yet."""
    with Redis.from_url(f"{lone_valkey_url[:-1]}9") as client:
        client.flushdb()


def post(client: httpx.Client, task_type: str, **headers: str) -> httpx.Response:
    """Launch a task."""
    return client.post(f"{API}/tasks/launch/{task_type}", json={}, headers=headers)


def test_many_at_once_are_let_through_exactly_as_often_as_they_may(
    gateways: list[httpx.Client], lone_valkey_url: str
) -> None:
    """60 of 240 over three gateways, and as many messages; the others hear when to come back."""
    clients = cycle(gateways)
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda client: post(client, "limited"), [next(clients) for _ in range(4 * ALLOWED)]))
    with Redis.from_url(f"{lone_valkey_url[:-1]}9") as redis:
        messages = redis.llen("celery")
    refused = [each for each in answers if each.status_code == 429]

    assert {202: ALLOWED, 429: 3 * ALLOWED} == Counter(each.status_code for each in answers)
    assert ALLOWED == messages
    assert {"rate_limited"} == {each.json()["code"] for each in refused}
    assert all(1 <= int(each.headers["retry-after"]) <= 61 for each in refused)
    assert all(int(each.headers["retry-after"]) == each.json()["retry_after_s"] for each in refused)
    assert '"caller";q=200;w=3600, "task-type";q=60;w=60' == refused[0].headers["ratelimit-policy"]
    assert '"task-type";r=0;t=' in refused[0].headers["ratelimit"]
    assert sorted(range(ALLOWED)) == sorted(_read_remaining(each) for each in answers if each.status_code == 202)


def _read_remaining(answer: httpx.Response) -> int:
    """Read what is left of the task type's quota."""
    return int(answer.headers["ratelimit"].partition('"task-type";r=')[2].partition(";")[0])


def test_batches_and_retries_are_counted_by_launch_and_replays_are_not(gateways: list[httpx.Client]) -> None:
    """On whichever gateway; a batch of more than is left has the problem at its last items."""
    one, other, third = gateways
    keyed = [post(one, "limited", **{"Idempotency-Key": "k"}) for _ in range(3)]
    items = [{"task_type": "limited"}] * ALLOWED

    batch = other.post(f"{API}/tasks/launch/batch", json={"items": items}).json()["items"]
    refused = post(third, "limited")
    free = post(third, "free")

    assert [202, 202, 202] == [each.status_code for each in keyed]
    assert [True, False, False] == ["ratelimit" in each.headers for each in keyed]
    problems: list[Any] = [each.get("problem") for each in batch]
    assert [None] * (ALLOWED - 1) == problems[:-1]
    assert "rate_limited" == problems[-1]["code"]
    assert 429 == refused.status_code
    assert "you may have 60 launches of this task type in any 60 s" == refused.json()["detail"]
    assert f'"caller";r={200 - ALLOWED - 1};' in free.headers["ratelimit"]


def test_all_that_a_caller_launches_is_limited_together(gateways: list[httpx.Client]) -> None:
    """Also what has no limit of its own."""
    items = [{"task_type": "free"}] * 199
    gateways[0].post(f"{API}/tasks/launch/batch", json={"items": items})

    answers = [post(gateways[1], "free"), post(gateways[2], "limited")]

    assert [202, 429] == [each.status_code for each in answers]
    assert "you may have 200 launches in all in any 3600 s" == answers[1].json()["detail"]


def test_a_caller_may_launch_again_once_the_time_is_over(gateways: list[httpx.Client]) -> None:
    """Not before the period is, and soon after it."""
    began = time.monotonic()
    answers = [post(gateways[0], "brief") for _ in range(3)]

    wait_for("room", lambda: post(gateways[1], "brief").status_code == 202)
    took_s = time.monotonic() - began

    assert [202, 202, 429] == [each.status_code for each in answers]
    assert answers[2].headers["retry-after"] in {"1", "2"}
    assert took_s > 1
