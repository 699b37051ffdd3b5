"""What a worker does with a task while the ledger's Redis does not answer, as its setting says; and what it never touches."""

import threading
import time
from typing import Any
from uuid import uuid4

from celery import Celery, Task
from celery.app.trace import build_tracer

from gateway.demo.valkey import embedded_valkey, find_free_port
from gateway.worker import install
from tests.faults.proxy import proxied

OURS = "01a212bb-1ef6-7c5e-b93c-c87911db3d50"


class Bench:
    """One app with one task, run as a pool runs it."""

    def __init__(self, **options: Any) -> None:
        self.runs = 0
        self.app = Celery("bench", broker="memory://", set_as_current=False)
        install(self.app, **{"url": f"redis://127.0.0.1:{find_free_port('127.0.0.1')}"} | options)

        @self.app.task(name="bench.task", ignore_result=True, shared=False)
        def run() -> None:
            self.runs += 1

        self.task: Task = self.app.tasks["bench.task"]
        self.task.__trace__ = build_tracer(self.task.name, self.task, app=self.app)

    def deliver(self, task_id: str = OURS) -> Any:
        """Run a delivery."""
        info = {"exchange": "", "routing_key": "celery"}
        request = {"id": task_id, "hostname": "w@h", "retries": 0, "delivery_info": info, "kwargsrepr": "***"}
        return self.task.__trace__(task_id, (), {}, request)

    def take(self) -> Any:
        """Take what was published."""
        with self.app.connection_for_read() as connection:
            return connection.SimpleQueue("celery").get(block=False)


def test_it_runs_unclaimed_after_a_bounded_wait() -> None:
    """`without_ledger="run"`, the default: a ledger that is away holds up no work for longer than `wait_s`."""
    bench = Bench(wait_s=0.2)

    began = time.monotonic()
    answer = bench.deliver()

    assert (1, None) == (bench.runs, answer.info)
    assert 0.1 < time.monotonic() - began < 1


def test_it_is_delivered_again_later() -> None:
    """`without_ledger="requeue"`: under the same id, with what logs may show of it, and acknowledged here."""
    bench = Bench(wait_s=0, without_ledger="requeue")

    answer = bench.deliver()

    message = bench.take()
    assert (0, "IGNORED") == (bench.runs, answer.info.state)
    assert OURS == message.headers["id"]
    assert message.headers["eta"] is not None
    assert "***" == message.headers["kwargsrepr"]
    assert 0 == message.headers["retries"]


def test_it_waits_for_a_ledger_that_comes_back() -> None:
    """As long as `wait_s`; then the ledger decides: of this launch it knows nothing, so that it runs."""
    with embedded_valkey() as url, proxied(url) as (proxied_url, wire):
        wire.is_refusing = True
        bench = Bench(wait_s=20, url=proxied_url)
        threading.Timer(0.2, lambda: setattr(wire, "is_refusing", False)).start()

        began = time.monotonic()
        bench.deliver()

    assert 1 == bench.runs
    assert 0.2 < time.monotonic() - began < 5


def test_tasks_that_no_gateway_launched_are_left_alone() -> None:
    """An id of Celery's own asks nothing of the ledger, which is away."""
    bench = Bench(wait_s=30)

    began = time.monotonic()
    answer = bench.deliver(str(uuid4()))

    assert (1, None) == (bench.runs, answer.info)
    assert time.monotonic() - began < 1
