"""What the worker kit adds to each task: its time on one process, and the rate of a whole worker, with it and without.

python benchmarks/worker_kit.py [--tasks 5000]
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from _report import replace_block, write_table
from celery import Celery
from celery.app.trace import build_tracer
from redis import Redis

from gateway.demo.valkey import embedded_valkey
from gateway.launch.task_id import mint
from gateway.worker import install

PREFIX = "gateway:"
ROW = b'{"task_id":"%s","task_type":"bench.nothing","name":"bench.nothing","params":{},"queue":"celery"}'
KEEP_S = 3600
ROUNDS = 3


def make_app(url: str, *, has_kit: bool) -> Celery:
    """Make an app whose task does nothing, and leaves nothing."""
    app = Celery("bench", broker=url, set_as_current=False)
    app.conf.update(worker_hijack_root_logger=False)
    if has_kit:
        install(app, url=url, prefix=PREFIX)

    @app.task(name="bench.nothing", shared=False, ignore_result=True)
    def nothing() -> None:
        """Do nothing."""

    return app


def write_rows(redis: Redis, count: int) -> list[str]:
    """Write the rows of launches; return their ids."""
    ids = [mint(now_ms=int(time.time() * 1000), entropy=os.urandom(7), identity=b"bench") for _ in range(count)]
    with redis.pipeline(transaction=False) as pipeline:
        for each in ids:
            pipeline.set(f"{PREFIX}task:{each}", ROW.replace(b"%s", each.encode()), ex=KEEP_S)
        pipeline.execute()
    return ids


def time_deliveries(app: Celery, ids: list[str]) -> list[float]:
    """Run deliveries as a pool's process does; return the microseconds of each."""
    task: Any = app.tasks["bench.nothing"]
    task.__trace__ = build_tracer(task.name, task, app=app)
    times = []
    for each in ids:
        request = {"id": each, "hostname": "bench@host", "retries": 0, "delivery_info": {}}
        began = time.perf_counter()
        task.__trace__(each, (), {}, request)
        times.append(1e6 * (time.perf_counter() - began))
    return times


def measure_worker(url: str, count: int, *, has_kit: bool) -> float:
    """Run tasks that wait in a queue through a prefork worker with two processes; return how many a second."""
    with Redis.from_url(url) as redis, make_app(url, has_kit=False) as app:
        redis.flushdb()
        for each in write_rows(redis, count):
            app.send_task("bench.nothing", task_id=each)
        environment = os.environ | {"BENCH_URL": url, "BENCH_KIT": "1" if has_kit else ""}
        argv = [sys.executable, "-m", "celery", "-A", "worker_kit", "worker", "-c", "2", "-l", "error"]
        process = subprocess.Popen(argv, cwd=Path(__file__).parent, env=environment, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: redis.llen("celery") < count - 100)
            began, left = time.perf_counter(), redis.llen("celery")
            wait_until(lambda: not redis.llen("celery"))
            return left / (time.perf_counter() - began)
        finally:
            process.terminate()
            process.wait(20)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    while not condition():
        time.sleep(0.005)


def count_scripts(redis: Redis) -> int:
    """Count the scripts that were run."""
    return int(redis.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"])


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=5000)
    count = parser.parse_args().tasks
    plain: list[float] = []
    kit: list[float] = []
    with ExitStack() as stack:
        url = stack.enter_context(embedded_valkey())
        redis = stack.enter_context(Redis.from_url(url))
        apps = {has_kit: stack.enter_context(make_app(url, has_kit=has_kit)) for has_kit in (False, True)}
        for _ in range(ROUNDS):  # taking turns
            plain += time_deliveries(apps[False], write_rows(redis, count // ROUNDS))
            kit += time_deliveries(apps[True], write_rows(redis, count // ROUNDS))
        ids = write_rows(redis, 100)
        before = count_scripts(redis)
        time_deliveries(apps[True], ids)
        trips = (count_scripts(redis) - before) / len(ids)
        rates = {
            has_kit: statistics.median(measure_worker(url, count, has_kit=has_kit) for _ in range(ROUNDS))
            for has_kit in (False, True)
        }
    rows = [
        [name, *(f"{value / 1000:.2f}" for value in (statistics.median(times), statistics.quantiles(times, n=100)[-1]))]
        for name, times in (("without the kit", plain), ("with it", kit))
    ]
    for row, has_kit in zip(rows, (False, True), strict=True):
        row.append(f"{rates[has_kit]:,.0f}")
    rows.append(["added", f"{(statistics.median(kit) - statistics.median(plain)) / 1000:.2f}", "", ""])
    table = write_table(["an empty task", "p50 ms", "p99 ms", "tasks/s of a prefork worker, two processes"], rows)
    print(table)
    replace_block("worker_kit", f"{trips:.0f} round trips a task, in the process that runs it.\n\n{table}")


if "BENCH_URL" in os.environ:
    app = make_app(os.environ["BENCH_URL"], has_kit=bool(os.environ["BENCH_KIT"]))
if __name__ == "__main__":
    main()
