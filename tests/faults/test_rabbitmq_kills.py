"""RabbitMQ killed over and over while clients launch (row F6): what was answered is in its queue, classic or quorum.

CHAOS_BROKER_KILLS and CHAOS_LAUNCHES say how long.
"""

import asyncio
import json
import os
import random
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu import Connection, Queue

from tests.faults.client import Call, find_answers, launch_all
from tests.faults.schedule import LAUNCHES, SEED
from tests.harness import run_gateway, wait_for
from tests.rabbitmq import run_rabbitmq

KILLS = int(os.environ.get("CHAOS_BROKER_KILLS", "1"))
QUEUES = {"classic": {}, "quorum": {"x-queue-type": "quorum"}}
TASKS = "version: 1\ntasks:\n" + "".join(
    f"  {queue}: {{name: faults.note, queue: {queue}, parameters: {{number: {{type: integer}}}}}}\n" for queue in QUEUES
)

pytestmark = pytest.mark.timeout(90 + KILLS * 20 + LAUNCHES / 20)


def make_body(number: int) -> dict[str, Any]:
    """A launch into one queue or the other."""
    return {"task_type": list(QUEUES)[number % len(QUEUES)], "params": {"number": number}}


async def launch_under_fire(url: str, node: "Node") -> list[Call]:
    """Launch while the node is killed and started again; all kills fall within the launches."""
    dice = random.Random(SEED)  # noqa: S311 - a schedule, not a secret
    calls: list[Call] = []
    share = LAUNCHES // (KILLS + 1)
    for round_ in range(KILLS + 1):
        launching = asyncio.create_task(launch_all(url, share, make_body=make_body, first=round_ * share))
        if round_ < KILLS:
            await asyncio.sleep(dice.uniform(0.02, 0.5))  # the moment of the crash is what is drawn
            await asyncio.to_thread(node.kill)
            await asyncio.to_thread(node.start)
        calls += await launching
    return calls


class Node:
    """One RabbitMQ node that keeps its files."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port, self._life = folder, None, ExitStack()
        self.url = ""

    def start(self) -> None:
        """Start it, on the files and the port of the time before."""
        self.url = self._life.enter_context(run_rabbitmq(self._folder, port=self._port))
        self._port = int(self.url.rpartition(":")[2].rstrip("/"))

    def kill(self) -> None:
        """Kill all its processes."""
        self._life.close()

    def read_messages(self, queue: str) -> Counter[str]:
        """Take all messages out of a queue; count those of each task."""
        with Connection(self.url) as connection, connection.channel() as channel:
            taken: Counter[str] = Counter()
            while (message := channel.basic_get(queue, no_ack=True)) is not None:
                taken[message.headers["id"]] += 1
            return taken


def test_no_answered_launch_is_lost_with_the_broker(tmp_path: Path, valkey_url: str) -> None:
    """Each is recorded, and is in its queue; what is there twice was uncertain, and is counted."""
    config, ledger_url = tmp_path / "tasks.yaml", f"{valkey_url[:-1]}8"
    config.write_text(TASKS)
    node = Node(tmp_path)
    with ExitStack() as stack:
        ledger = stack.enter_context(redis.Redis.from_url(ledger_url))
        ledger.flushdb()
        stack.callback(node.kill)
        node.start()
        with Connection(node.url) as connection:
            for queue, arguments in QUEUES.items():
                Queue(queue, durable=True, queue_arguments=arguments)(connection.channel()).declare()
        settings = {"broker_url": node.url, "redis_url": ledger_url}
        url = stack.enter_context(run_gateway(tmp_path / "g.log", config=config, **settings))
        calls = asyncio.run(launch_under_fire(url, node))
        wait_for("an empty outbox", lambda: not ledger.zcard("gateway:outbox"), limit_s=60 + LAUNCHES / 100)
        rows = {key.decode()[len("gateway:task:") :] for key in ledger.scan_iter("gateway:task:*", count=1000)}
        types = {task_id: json.loads(ledger.get(f"gateway:task:{task_id}") or b"{}")["task_type"] for task_id in rows}
        queued = {queue: node.read_messages(queue) for queue in QUEUES}
    answers = find_answers(calls)
    lost = {queue: len({each for each in rows if types[each] == queue} - queued[queue].keys()) for queue in QUEUES}
    doubled = {queue: sum(count - 1 for count in queued[queue].values()) for queue in QUEUES}
    codes = Counter(call.code or ("broken" if call.status is None else "accepted") for call in calls)
    print(f"\nkilled RabbitMQ {KILLS} times; lost {lost}, sent twice {doubled} of {len(rows)}; calls {dict(codes)}")

    assert LAUNCHES // (KILLS + 1) * (KILLS + 1) == len(answers) == len({task_id for _, task_id in answers})
    assert {task_id for _, task_id in answers} == rows
    assert dict.fromkeys(QUEUES, 0) == lost
