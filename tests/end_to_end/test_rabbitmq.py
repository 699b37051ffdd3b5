"""RabbitMQ with the ledger in Redis: a launch is a fact once it is recorded, and leaves when the broker is there."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from amqp import Message
from kombu import Connection, Queue

from gateway.demo.valkey import embedded_valkey
from tests.end_to_end.stopping import Place, kill
from tests.flood import flood, post
from tests.harness import find_listener, finish, run_gateway, run_worker, suspended, wait_for
from tests.rabbitmq import run_rabbitmq

API = "/api/celery"
BODY = {"task_type": "sii.sync_documents", "params": {"company_id": "test"}}
SECRET = {"task_type": "login", "params": {"password": "hunter2"}}
TASKS = """
version: 1
tasks:
  sii.sync_documents: {queue: sii, parameters: {company_id: {type: string}}}
  login: {parameters: {password: {type: string, secret: true}}}
"""
QUEUE = "sii"

pytestmark = pytest.mark.timeout(150)


def launch(http: httpx.Client, body: dict[str, Any] = BODY) -> dict[str, Any]:
    """Launch a task, which has to be accepted."""
    answer = http.post(f"{API}/tasks/launch", json=body)
    assert answer.status_code == 200, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


@pytest.fixture
def ledger() -> Iterator[str]:
    """A Redis of the test's own."""
    with embedded_valkey() as url:
        yield url


@pytest.fixture
def node(rabbitmq_url: str) -> str:
    """The node, without the queue."""
    with Connection(rabbitmq_url) as connection:
        connection.channel().queue_delete(QUEUE)
    return rabbitmq_url


def read_queue(url: str) -> list[str]:
    """Take all messages out of the queue; return their task ids."""
    ids = []
    with Connection(url) as connection, connection.channel() as channel:
        while (message := channel.basic_get(QUEUE, no_ack=True)) is not None:
            ids.append(message.headers["id"])
    return ids


def test_a_launch_runs_through_rabbitmq(tmp_path: Path, ledger: str, node: str) -> None:
    """Launch, follow, stats and revoke through a broker that is no Redis."""
    with (
        run_worker(tmp_path / "worker.log", node, GATEWAY_REDIS_URL=ledger, DEMO_TASK_SECONDS="0.2"),
        run_gateway(tmp_path / "g.log", broker_url=node, redis_url=ledger, workers_refresh_s="1") as url,
        httpx.Client(base_url=url, timeout=10) as http,
    ):
        status = finish(http, launch(http)["task_id"])
        stats = wait_for("a look at the worker", lambda: http.get(f"{API}/stats").json()["workers"])
        delayed = launch(http, BODY | {"options": {"countdown_s": 1}})["task_id"]
        revoked = http.delete(f"{API}/tasks/{delayed}")
        ended = finish(http, delayed)

    assert "SUCCESS" == status["status"]
    assert "sii.sync_documents" in next(iter(stats.values()))["registered"]
    assert (200, "REVOKED") == (revoked.status_code, ended["status"])


def test_workers_that_start_later_are_told_of_revokes(tmp_path: Path, ledger: str, node: str) -> None:
    """By another gateway than the one that was asked; the message cannot be taken out, and its task never runs."""
    place = Place(tmp_path, node, ledger_url=ledger)
    with Connection(node) as connection:
        connection.channel().queue_delete("faults")
    with place.gateway("first"):
        revoked, other, running = place.launch(), place.launch(), place.launch(seconds=30)
        wait_for("a look at the workers", lambda: place.http.get(f"{API}/stats").json()["as_of"])
        answer = place.revoke(revoked)
        before = place.look(revoked)
    with place.gateway("second"), place.worker("-c", "1"):
        place.wait_for_status(other, "SUCCESS", limit_s=30)
        after = place.wait_for_status(revoked, "REVOKED")
        place.wait_for_start(running)
        wait_for("a look at the worker", lambda: place.http.get(f"{API}/stats").json()["workers"])
        stopping = place.revoke(running, terminate="true", signal="SIGKILL")
        place.wait_for_status(running, "REVOKED")

    assert "noted: no live worker is known, and those that start later are told" == answer["message"]
    assert ("PENDING", None, False) == (
        before["status"],
        before["revocation"]["confirmed_at"],
        before["revocation"]["is_withdrawn"],
    )
    assert after["revocation"]["confirmed_at"]
    assert "asked 1 live worker to stop it with SIGKILL" == stopping["message"]
    assert {other, running} == place.find_started()


def copy_messages(url: str, queue: str) -> None:
    """Put a second copy of every message that waits behind all of them."""
    with Connection(url) as connection, connection.channel() as channel:
        messages = list(iter(lambda: channel.basic_get(queue, no_ack=True), None))
        for message in 2 * messages:
            channel.basic_publish(Message(message.body, **message.properties), routing_key=queue)


def test_the_worker_kit_makes_it_exact(tmp_path: Path, ledger: str, node: str) -> None:
    """Two messages of a task are one run; what a worker dies with RabbitMQ delivers at once, and it waits for the claim's end."""
    place = Place(tmp_path, node, ledger_url=ledger)
    kit = {"FAULTS_KIT": json.dumps({"lease_s": 1.0}), "FAULTS_LATE": "1", "FAULTS_SILENT": "1"}
    with Connection(node) as connection:
        connection.channel().queue_delete("faults")
    with place.gateway():
        doubled = place.launch()
        copy_messages(node, "faults")
        with place.worker("-c", "2", name="dying", **kit) as dying:
            place.wait_for_status(doubled, "SUCCESS")
            refused = f"{doubled} does not run again"
            wait_for("the second delivery", lambda: refused in (tmp_path / "dying.log").read_text())
            often, once = place.launch(seconds=1.5), place.launch(seconds=1.5, task_type="once")
            place.wait_for_start(often)
            place.wait_for_start(once)
            kill(dying)
        with place.worker("-c", "2", name="heir", **kit):
            again, unknown = place.wait_for_status(often, "SUCCESS"), place.wait_for_status(once, "UNKNOWN")

    assert [1, 2, 1] == [len(place.read_starts(each)) for each in (doubled, often, once)]
    assert again["worker"].startswith("heir@")
    assert "dying@" in unknown["error"]["message"]


def test_a_dead_broker_costs_no_launch(tmp_path: Path, ledger: str) -> None:
    """Launches are accepted while it is away, up to the limit, and each leaves once when it is back."""
    config = tmp_path / "tasks.yaml"
    config.write_text(TASKS)
    with ExitStack() as node:
        amqp_url = node.enter_context(run_rabbitmq(tmp_path))
        port = int(amqp_url.rpartition(":")[2].rstrip("/"))
        with (
            run_gateway(
                tmp_path / "g.log", config=config, broker_url=amqp_url, redis_url=ledger, outbox_limit="20"
            ) as url,
            httpx.Client(base_url=url, timeout=10) as http,
        ):
            accepted = [launch(http)["task_id"] for _ in range(3)]
            node.close()
            waits = []
            for _ in range(20):
                began = time.monotonic()
                accepted.append(launch(http)["task_id"])
                waits.append(time.monotonic() - began)
            full = http.post(f"{API}/tasks/launch", json=BODY)
            secret = http.post(f"{API}/tasks/launch", json=SECRET)
            catalog = http.get(f"{API}/tasks")
            ready = wait_for(
                "readiness", lambda: None if (found := http.get("/health/ready")).is_success else found, limit_s=2
            )
            with run_rabbitmq(tmp_path, port=port):
                back = time.monotonic()
                ids: list[str] = []
                wait_for("the outbox", lambda: ids.extend(read_queue(amqp_url)) or len(ids) >= len(accepted))
                drained_s = time.monotonic() - back
                after = launch(http)["task_id"]
                wait_for("the next one", lambda: after in read_queue(amqp_url))

    assert sorted(accepted) == sorted(ids)
    assert max(waits) < 2.5
    assert (503, "outbox_full", "1") == (full.status_code, full.json()["code"], full.headers["retry-after"])
    assert (503, "broker_unavailable") == (secret.status_code, secret.json()["code"])
    assert (200, 503) == (catalog.status_code, ready.status_code)
    assert drained_s < 10


def test_a_frozen_broker_is_waited_for_no_longer_than_the_deadline(tmp_path: Path, ledger: str, node: str) -> None:
    """1,000 launches at once: each answered in time and kept; it thaws, and every one of them is in the queue."""
    with (
        run_gateway(tmp_path / "g.log", broker_url=node, redis_url=ledger, deadline_s="1") as url,
        httpx.Client(base_url=url, timeout=10) as http,
    ):
        launch(http)
        with suspended(find_listener(node)):
            answers = asyncio.run(flood(url, [post(f"{API}/tasks/launch", BODY)] * 1000))
        ids: list[str] = []
        accepted = {answer.body["task_id"] for answer in answers}
        wait_for("the outbox", lambda: ids.extend(read_queue(node)) or accepted <= set(ids), limit_s=40)

    assert {200} == {answer.status for answer in answers}
    assert 1000 == len(accepted)
    assert max(answer.waited_s for answer in answers) < 2.5


def test_a_quorum_queue_is_used_as_it_is(tmp_path: Path, ledger: str, node: str) -> None:
    """Celery's own declaration would be refused for it."""
    with Connection(node) as connection:
        Queue(QUEUE, durable=True, queue_arguments={"x-queue-type": "quorum"})(connection.channel()).declare()
    with (
        run_gateway(tmp_path / "g.log", broker_url=node, redis_url=ledger) as url,
        httpx.Client(base_url=url, timeout=10) as http,
    ):
        accepted = [launch(http)["task_id"] for _ in range(5)]
        ids: list[str] = []
        wait_for("the messages", lambda: ids.extend(read_queue(node)) or len(ids) >= len(accepted))

    assert sorted(accepted) == sorted(ids)


def test_a_deleted_queue_is_made_again(tmp_path: Path, ledger: str, node: str) -> None:
    """What the broker would confirm and drop is given back, and sent again once there is a queue."""
    with (
        run_gateway(tmp_path / "g.log", broker_url=node, redis_url=ledger) as url,
        httpx.Client(base_url=url, timeout=10) as http,
    ):
        launch(http)
        with Connection(node) as connection:
            connection.channel().queue_delete(QUEUE)
        second = launch(http)["task_id"]
        ids = wait_for("the message", lambda: read_queue(node))

    assert [second] == ids


STEPS = ("before_confirm", "confirmed", "cleared", "before_answer")


def test_a_gateway_that_dies_on_the_way_loses_nothing(tmp_path: Path, ledger: str, node: str) -> None:
    """Killed at each step of a launch: what is in the ledger is sent by the next gateway, under the same id."""
    urls = {"broker_url": node, "redis_url": ledger, "deadline_s": "0.5"}
    for step in STEPS:
        with run_gateway(tmp_path / "g.log", **urls, kill_at=step) as url, pytest.raises(httpx.TransportError):
            httpx.post(f"{url}{API}/tasks/launch", json=BODY, headers={"Idempotency-Key": step}, timeout=10)
    with run_gateway(tmp_path / "g.log", **urls) as url, httpx.Client(base_url=url, timeout=10) as http:
        replays = [http.post(f"{API}/tasks/launch", json=BODY, headers={"Idempotency-Key": step}) for step in STEPS]
        ids: list[str] = []
        expected = {replay.json()["task_id"] for replay in replays}
        wait_for("the outbox", lambda: ids.extend(read_queue(node)) or expected <= set(ids), limit_s=30)

    assert ["true"] * 4 == [replay.headers["idempotency-replayed"] for replay in replays]
    assert 4 == len(expected)
    assert expected == set(ids)
    assert len(ids) <= 5  # only the one that was confirmed but not yet cleared may be there twice
