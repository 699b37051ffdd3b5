"""Pages of the history over a million launches: time per page for each kind of filter, memory per launch, the slow log.

python benchmarks/history.py [--rows 1000000]
"""

import argparse
import statistics
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from _report import replace_block, write_table
from _rows import make_rows, write_rows
from _subjects import API, run_gateway
from redis import Redis

from gateway.demo.valkey import embedded_valkey

PREFIX = "gateway:"
PAGES = 200
"""Pages per filter; a walk that ends begins anew."""
SLOW_MICROSECONDS = 10_000


def choose_status(number: int) -> str | None:
    """Most succeed, one of twenty fails, one of a hundred is revoked, one of a hundred is open."""
    if number % 100 == 99:
        return None
    if number % 100 == 98:
        return "REVOKED"
    return "FAILURE" if number % 20 == 7 else "SUCCESS"


def list_filters(ids: list[str]) -> dict[str, dict[str, Any]]:
    """List what is asked for."""
    middle = datetime.now(UTC) - timedelta(days=3)
    window = {"since": (middle - timedelta(hours=1)).isoformat(), "until": middle.isoformat()}
    return {
        "none": {},
        "200 a page": {"limit": 200},
        "task type": {"task_type": "type.3"},
        "batch": {"batch": ids[len(ids) // 2 // 1000 * 1000]},
        "retries of a task": {"retry_of": ids[0]},
        "one hour, three days ago": window,
        "SUCCESS": {"status": "SUCCESS"},
        "FAILURE": {"status": "FAILURE"},
        "REVOKED": {"status": "REVOKED"},
        "PENDING": {"status": "PENDING"},
        "FAILURE of a task type": {"status": "FAILURE", "task_type": "type.7"},
        "a status that nothing has": {"status": "mine"},
        "SUCCESS of a type that only fails": {"status": "SUCCESS", "task_type": "type.27"},
        "a task type that is gone": {"task_type": "gone"},
    }


def measure(http: httpx.Client, query: dict[str, Any]) -> tuple[list[float], float]:
    """Walk page by page; return the milliseconds of each, and how many tasks a page held on average."""
    times, held = [], 0
    cursor: dict[str, str] = {}
    for _ in range(PAGES):
        began = time.perf_counter()
        answer = http.get(f"{API}/tasks/history", params=query | cursor)
        times.append(1000 * (time.perf_counter() - began))
        answer.raise_for_status()
        page = answer.json()
        held += len(page["items"])
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
    return times, held / PAGES


def fill(redis: Redis, rows: int) -> tuple[list[str], float]:
    """Write the launches; return their ids and the bytes of each."""
    before = int(redis.info("memory")["used_memory"])  # type: ignore[index] # the client is not asynchronous
    ids = write_rows(redis, PREFIX, make_rows(rows, choose_status=choose_status))
    after = int(redis.info("memory")["used_memory"])  # type: ignore[index] # as above
    return ids, (after - before) / rows


def main() -> None:
    """Measure, print, and write the table into the README of the benchmarks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with ExitStack() as stack:
        url = stack.enter_context(embedded_valkey())
        redis = stack.enter_context(Redis.from_url(url))
        ids, row_bytes = fill(redis, rows)
        redis.config_set("slowlog-log-slower-than", SLOW_MICROSECONDS)
        base = stack.enter_context(run_gateway(url)).url
        http = stack.enter_context(httpx.Client(base_url=base, timeout=10))
        redis.slowlog_reset()
        lines = []
        for name, query in list_filters(ids).items():
            times, held = measure(http, query)
            p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
            lines.append((name, f"{p50:.1f}", f"{p99:.1f}", f"{held:.0f}"))
            print(*lines[-1], sep=" | ", flush=True)
        slow = len(redis.slowlog_get(128))
    table = write_table(("filter", "p50 ms", "p99 ms", "tasks a page"), lines)
    figures = f"{rows:,} launches; {row_bytes:.0f} bytes each in Redis, with all keys; {slow} commands over 10 ms."
    print(figures)
    replace_block("history", f"{figures}\n\n{table}")


if __name__ == "__main__":
    main()
