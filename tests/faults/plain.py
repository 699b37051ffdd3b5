"""Celery alone, for comparison: `send_task` from threads of this process, again under the same id on any failure.

It has no result backend, which would hang with the broker (E6), and Celery's own retries of a publish.
"""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Self
from uuid import uuid4

from celery import Celery
from kombu.exceptions import OperationalError

from tests.faults.client import Call

THREADS = 4


class PlainClient:
    """Sends tasks to the queue of the fault tests."""

    def __init__(self, app: Celery, threads: ThreadPoolExecutor) -> None:
        self._app, self._threads = app, threads

    @classmethod
    @contextmanager
    def open(cls, broker_url: str) -> Iterator[Self]:
        """Open a client for the length of the block."""
        with Celery("plain", broker=broker_url, set_as_current=False) as app, ThreadPoolExecutor(THREADS) as threads:
            app.conf.task_default_queue = "faults"
            yield cls(app, threads)

    async def launch(self, bodies: dict[int, dict[str, Any]]) -> list[Call]:
        """Send tasks, by their numbers; each until Celery says that it was sent."""
        loop = asyncio.get_running_loop()
        sending = [loop.run_in_executor(self._threads, self.send, number, body) for number, body in bodies.items()]
        return list(await asyncio.gather(*sending))

    def send(self, number: int, body: dict[str, Any]) -> Call:
        """Send one task."""
        task_id = str(uuid4())
        while True:
            try:
                self._app.send_task("faults.note", kwargs=body["params"], task_id=task_id)
            except OperationalError:
                time.sleep(0.05)
            else:
                return Call(key=str(number), status=200, task_id=task_id)
