"""What `/stats` costs beside the four inspect calls that it stands for, with one worker and with none."""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import _report
import _subjects as subjects
import httpx
from celery import Celery

from gateway.demo.valkey import embedded_valkey

READS, LOOKS = 400, 5
METHODS = ("active", "scheduled", "registered", "stats")


@contextlib.contextmanager
def run_worker(redis_url: str) -> Iterator[None]:
    """Run a Celery worker with the demo's tasks."""
    argv = [sys.executable, "-m", "celery", "-A", "gateway.demo.app", "worker", "-c", "2", "-Q", "celery,sii"]
    with tempfile.TemporaryFile() as log:
        env = os.environ | {"GATEWAY_BROKER_URL": redis_url}
        process = subprocess.Popen(argv, cwd=subjects.ROOT, env=env, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


def measure(do: Callable[[], object], *, times: int) -> float:
    """Return the median of some calls, in milliseconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        do()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def inspect(app: Celery) -> None:
    """Ask the workers as Celery APIs do for every request: four broadcasts, one after the other."""
    for method in METHODS:
        getattr(app.control.inspect(), method)()


def wait_for_workers(http: httpx.Client, count: int) -> None:
    """Wait until the gateway knows so many workers, and all of each."""
    while True:
        workers = http.get(f"{subjects.API}/stats").json()["workers"].values()
        if count == sum(each["online"] and each["is_described"] for each in workers) == len(workers):
            return
        time.sleep(0.1)


def compare(http: httpx.Client, app: Celery, label: str) -> tuple[str, ...]:
    """Measure both; return a row."""
    stats = measure(lambda: http.get(f"{subjects.API}/stats").raise_for_status(), times=READS)
    inspected = measure(lambda: inspect(app), times=LOOKS)
    return label, f"{stats:.2f}", f"{inspected:,.0f}", f"{inspected / stats:,.0f} times"


def main() -> None:
    """Measure, print, and write the table into the README of the benchmarks."""
    with contextlib.ExitStack() as stack:
        redis_url = stack.enter_context(embedded_valkey())
        base = stack.enter_context(subjects.run_gateway(redis_url)).url
        http = stack.enter_context(httpx.Client(base_url=base, timeout=10))
        app = Celery(broker=redis_url, set_as_current=False)
        rows = [compare(http, app, "no worker")]
        stack.enter_context(run_worker(redis_url))
        wait_for_workers(http, 1)
        rows.append(compare(http, app, "one worker"))
        app.close()
    table = _report.write_table(("alive", "/stats ms", "four inspect calls ms", "ratio"), rows)
    print(table)
    _report.replace_block("stats", table)


if __name__ == "__main__":
    main()
