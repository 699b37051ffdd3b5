"""Waits and event streams over two gateways, with a real worker: pushed, and whole wherever a client goes."""

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
import pytest
from redis import Redis

from gateway.demo.valkey import embedded_valkey
from tests.harness import find_listener, finish, run_gateway, run_worker

API = "/api/celery"
STEPS = 24
pytestmark = pytest.mark.timeout(90)


class Place(NamedTuple):
    """What the tests of this module stand on."""

    redis_url: str
    urls: tuple[str, str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A Valkey, a worker whose tasks take two seconds, and two gateways."""
    logs = tmp_path_factory.mktemp("logs")
    with (
        embedded_valkey() as url,
        run_worker(logs / "worker.log", url, DEMO_TASK_SECONDS="2"),
        run_gateway(logs / "one.log", broker_url=url) as one,
        run_gateway(logs / "two.log", broker_url=url) as two,
    ):
        yield Place(url, (one, two))


def launch(url: str, **params: object) -> str:
    """Launch a task of many steps."""
    body = {"task_type": "sii.sync_documents", "params": {"company_id": "a", "months": STEPS} | params}
    answer = httpx.post(f"{url}{API}/tasks/launch", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


def read_events(url: str, task_id: str, last_seen: str = "") -> Iterator[tuple[str, str, Any]]:
    """Read the stream of a task as an EventSource does: (id, event, data)."""
    return read_stream(f"{url}{API}/tasks/{task_id}/events", last_seen)


def read_stream(url: str, last_seen: str = "") -> Iterator[tuple[str, str, Any]]:
    """Read any stream; its first heartbeat is an event here."""
    headers = {"Last-Event-ID": last_seen} if last_seen else {}
    with httpx.stream("GET", url, headers=headers, timeout=20) as answer:
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if line == ": heartbeat":
                yield "", "heartbeat", None
            if not line and "event" in fields:
                yield fields.get("id", ""), fields["event"], json.loads(fields["data"])
                fields = {}
            fields[name] = value


def test_a_client_that_is_cut_off_misses_nothing_and_gets_nothing_twice(place: Place, tmp_path: Path) -> None:
    """Its gateway dies in the middle; another one goes on behind the last event, to the final one."""
    with run_gateway(tmp_path / "dying.log", broker_url=place.redis_url) as dying:
        task_id = launch(dying)
        seen = []
        with pytest.raises(httpx.TransportError):  # noqa: PT012 - the stream breaks where it breaks
            for event in read_events(dying, task_id):
                seen.append(event)
                if len(seen) == 6:
                    find_listener(dying).send_signal(signal.SIGKILL)
        seen += read_events(place.urls[1], task_id, seen[-1][0])
    whole = list(read_events(place.urls[0], task_id))

    steps = [data["progress"]["current"] for _, _, data in seen if data["status"] == "PROGRESS"]
    assert list(range(STEPS)) == steps
    assert ("final", "SUCCESS", {"company_id": "a", "months": STEPS, "documents": 888}) == (
        seen[-1][1], seen[-1][2]["status"], seen[-1][2]["result"],
    )  # fmt: skip
    assert len({entry_id for entry_id, _, _ in seen}) == len(seen)
    assert seen[-1] == whole[-1]


def test_a_launch_waits_for_its_end_on_any_gateway(place: Place) -> None:
    """Prefer: wait on one, a long poll on the other: both are woken by the same push."""
    with httpx.Client(base_url=place.urls[0], timeout=20) as http:
        body = {"task_type": "sii.sync_documents", "params": {"company_id": "fail"}}
        waited = http.post(f"{API}/tasks/launch", json=body, headers={"Prefer": "wait=15"})
        task_id = launch(place.urls[0], months=1)
        polled = httpx.get(f"{place.urls[1]}{API}/tasks/{task_id}?wait_s=15", timeout=20)

    assert (200, "FAILURE") == (waited.status_code, waited.json()["status"])
    assert polled.json()["status"] in {"STARTED", "PROGRESS", "SUCCESS"}


def test_a_thousand_wait_over_one_connection_and_no_thread(place: Place) -> None:
    """All are woken; the gateway's process has no threads for them."""
    with Redis.from_url(place.redis_url) as client, httpx.Client(base_url=place.urls[1], timeout=20) as http:
        process = psutil.Process(find_listener(place.urls[1]).pid)
        task_id = launch(place.urls[1])
        threads = process.num_threads()
        answers, subscriptions, threads_meanwhile = asyncio.run(
            wait_together(place.urls[1], task_id, 1000, client, process)
        )
        finish(http, task_id)

    assert 1000 == len(answers)
    assert {b"HTTP/1.1 200"} == set(answers)
    assert 2 == subscriptions  # one for each gateway
    assert threads_meanwhile < threads + 5  # as many as Python keeps for short calls, whoever waits


async def wait_together(
    url: str, task_id: str, count: int, client: Redis, process: psutil.Process
) -> tuple[list[bytes], int, int]:
    """Poll a task with many connections; return their answers' first words, and what it took meanwhile."""
    port = int(url.rpartition(":")[2])
    request = f"GET {API}/tasks/{task_id}?wait_s=20 HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n".encode()

    async def poll() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer[:12]

    polls = [asyncio.create_task(poll()) for _ in range(count)]
    await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
    subscriptions = sum(int(each["sub"]) > 0 and each["name"] == "task-gateway" for each in client.client_list())
    threads = process.num_threads()
    return await asyncio.gather(*polls), subscriptions, threads


def test_the_feed_of_all_tasks_is_the_same_on_every_gateway(place: Place) -> None:
    """Launched anywhere, told everywhere: each status once, under the same ids, and behind what was seen."""
    feeds = [read_stream(f"{url}{API}/tasks/events?task_type=sii.sync_documents") for url in place.urls]
    assert ["heartbeat"] * 2 == [next(feed)[1] for feed in feeds]
    task_ids = {launch(url, months=1) for url in place.urls}

    told = [until_ended(feed, task_ids) for feed in feeds]
    resumed = read_stream(f"{place.urls[1]}{API}/tasks/events", told[0][1][0])
    again = until_ended(resumed, {data["task_id"] for _, _, data in told[0][2:]})

    assert told[0] == told[1]
    for task_id in task_ids:
        statuses = [data["status"] for _, _, data in told[0] if data["task_id"] == task_id]
        assert ["PENDING", "STARTED", "PROGRESS", "SUCCESS"] == statuses
    assert told[0][2:] == again


def until_ended(events: Iterator[tuple[str, str, Any]], task_ids: set[str]) -> list[tuple[str, str, Any]]:
    """Read events until all these tasks have ended; those of others are left out."""
    found, left = [], set(task_ids)
    for event in events:
        if event[1] == "status" and event[2]["task_id"] in task_ids:
            found.append(event)
            left -= {event[2]["task_id"]} if event[2]["status"] == "SUCCESS" else set()
        if not left:
            break
    return found
