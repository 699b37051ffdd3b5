"""One thread for each process that runs or receives tasks: renews claims, and tells the ledger what need not wait.

In a gevent or eventlet pool it is a greenlet. What it cannot tell while Redis is away it tells later, as far as it has
room; a claim that could not be renewed in time may be taken over, which the next renewal finds out.
"""

import logging
import os
import threading
import time
from collections import deque
from typing import Any, Final

from redis.exceptions import RedisError

from gateway.worker.ledger import Ledger, Run

RENEWALS: Final = 3
"""Renewals of one lease: two may fail."""
GATHER_S: Final = 0.02
"""So long receipts are gathered before they are told together."""
RETRY_S: Final = 0.5
AT_ONCE: Final = 500
BACKLOG: Final = 20_000
"""Receipts and ends that wait for Redis; the oldest are forgotten."""
_log = logging.getLogger("gateway.worker")


class Keeper:
    """Looks after what one process holds; a forked child begins with nothing."""

    def __init__(self, ledger: Ledger, *, lease_s: float) -> None:
        self._ledger = ledger
        self._lease_s = lease_s
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self.worker = ""
        """The name of the worker whose main process this is."""
        self._runs: dict[str, Run] = {}
        self._stopping: dict[str, int] = {}
        self._received: deque[tuple[str, float]] = deque(maxlen=BACKLOG)
        self._ends: deque[tuple[Run, str, dict[str, Any] | None]] = deque(maxlen=BACKLOG)
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._kept_at = 0.0
        self._is_failing = False

    def hold(self, run: Run) -> None:
        """Renew the claim of a run from now on."""
        self._runs[run.token] = run
        self._start()

    def adopt(self, run: Run) -> None:
        """Claim a run that began without, as soon as Redis is back."""
        self.hold(run)
        self._kept_at = 0.0
        self._wake.set()

    def let_go(self, run: Run) -> None:
        """Renew it no more."""
        self._runs.pop(run.token, None)
        self._stopping.pop(run.token, None)

    def holds(self, task_id: str) -> bool:
        """Tell whether a task is run by this process."""
        return any(run.task_id == task_id for run in list(self._runs.values()))

    def must_stop(self, run: Run) -> bool:
        """Tell whether a run shall not go on: it is revoked, or somebody else has taken the task over."""
        return run.token in self._stopping

    def announce(self, worker: str) -> None:
        """Say from now on that a worker with the kit is alive."""
        self.worker = worker
        self._start()
        self._wake.set()

    def receive(self, task_id: str) -> None:
        """Note that a task was received, now."""
        self._received.append((task_id, time.time()))
        self._start()
        self._wake.set()

    def finish_later(self, run: Run, word: str, end: dict[str, Any] | None) -> None:
        """Write down what became of a run as soon as Redis is back."""
        self._ends.append((run, word, end))
        self._start()
        self._wake.set()

    def _start(self) -> None:
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="gateway-keeper", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._lease_s / RENEWALS)
            self._wake.clear()
            time.sleep(GATHER_S)
            try:
                self._work()
            except RedisError as error:
                if not self._is_failing:
                    _log.warning("the ledger is away, receipts wait: %s", type(error).__name__)
                self._is_failing = True
                time.sleep(RETRY_S)
                self._wake.set()
            except Exception:  # noqa: BLE001 - claims that nobody renews are worse than whatever this is
                _log.exception("the keeper of the gateway's worker kit failed; it goes on")
            else:
                self._is_failing = False

    def _work(self) -> None:
        if time.monotonic() - self._kept_at >= self._lease_s / RENEWALS:
            self._keep()
            self._kept_at = time.monotonic()
        while self._ends:
            self._ledger.finish(*self._ends[0])
            self._ends.popleft()
        while self._received:
            some = [self._received[at] for at in range(min(AT_ONCE, len(self._received)))]
            self._ledger.receive(self.worker, some)
            for _ in some:
                self._received.popleft()

    def _keep(self) -> None:
        runs = list(self._runs.values())
        if not runs and not self.worker:
            return
        for run, word in zip(runs, self._ledger.keep(self.worker, runs), strict=True):
            if word == 0 and run.token not in self._stopping:
                _log.warning("task %s runs elsewhere by now: this process slept past its lease", run.task_id)
            if word != 1 and run.token in self._runs:
                self._stopping[run.token] = word
