"""Scraping: what launches feel of /stats and /metrics, each read ten times a second; and what one scrape is."""

import contextlib
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import _load
import _report
import _subjects as subjects
import httpx
import redis
from celery import Celery

from gateway.demo.valkey import embedded_valkey

ROUNDS, SECONDS, PER_SECOND = 5, 4, 500
EVERY_S = 0.1
PATHS = (f"{subjects.API}/stats", "/metrics")


def main() -> None:
    """Measure, print and write down; with a URL read its pages until the process is ended."""
    if sys.argv[1:]:
        poll(sys.argv[1])
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(embedded_valkey()) for _ in range(2)]
        few = stack.enter_context(subjects.run_gateway(urls[0]))
        config = Path(stack.enter_context(tempfile.TemporaryDirectory()), "tasks.yaml")
        subjects.write_thousand(config)
        many = stack.enter_context(subjects.run_gateway(urls[1], config=config))
        for gateway, url in ((few, urls[0]), (many, urls[1])):
            count_all(gateway, url)
        rows = [compare("four", few, (few, many)), compare("1,000", many, (few, many))]
    head = ("task types", "launch p50, p99", "polled meanwhile", "p99, against it", "a scrape", "of")
    text = _report.write_table(head, rows)
    _report.replace_block("scrape", text)
    print(text)


def count_all(gateway: subjects.Server, redis_url: str) -> None:
    """Launch one task of each type and let it start and end, so that every series is there."""
    with httpx.Client(base_url=gateway.url, timeout=30) as client:
        catalog = client.get(f"{subjects.API}/tasks").json()
        items = [{"task_type": each["task_type"], "params": each["examples"][0]} for each in catalog]
        launched = client.post(subjects.LAUNCH_BATCH, json={"items": items}).raise_for_status().json()["items"]
        ids = [each["receipt"]["task_id"] for each in launched]
        with redis.Redis.from_url(redis_url) as store, contextlib.closing(Celery(broker=redis_url)) as app:
            wait_for(lambda: client.get("/health/ready").is_success)
            with app.connection_for_write() as connection, app.events.Dispatcher(connection) as dispatcher:
                for task_id in ids:
                    dispatcher.send("task-started", uuid=task_id)
            wait_for(lambda: store.exists(*(f"gateway:run:{each}" for each in ids)) == len(ids))
            for task_id in ids:
                record = {"task_id": task_id, "status": "SUCCESS", "result": None, "traceback": None, "children": []}
                record["date_done"] = datetime.now(UTC).isoformat()
                store.set(f"celery-task-meta-{task_id}", json.dumps(record), ex=600)
        wait_for(lambda: client.get("/metrics").text.count("gateway_run_seconds_count{") == len(ids))


def compare(label: str, gateway: subjects.Server, among: tuple[subjects.Server, ...]) -> tuple[str, ...]:
    """Measure launches with nothing beside them and with both pages polled, in turns; return a row."""
    quiet, polled = list[_load.Latency](), list[_load.Latency]()
    with subjects.alone(gateway, among):
        for _ in range(ROUNDS):
            quiet.append(launch(gateway))
            with polling(gateway):
                polled.append(launch(gateway))
        with httpx.Client(base_url=gateway.url) as client:
            takes = [scrape(client) for _ in range(20)]
    before, after = find_medians(quiet), find_medians(polled)
    ms, size = statistics.median(taken for taken, _ in takes), takes[0][1]
    return (
        label,
        f"{before[0]:.1f} ms, {before[1]:.1f} ms",
        f"{after[0]:.1f} ms, {after[1]:.1f} ms",
        f"{after[1] / before[1]:.2f} times",
        f"{ms:.0f} ms",
        f"{size / 1000:,.0f} kB",
    )


def launch(gateway: subjects.Server) -> _load.Latency:
    """Launch at a steady rate."""
    url = gateway.url + subjects.LAUNCH
    return _load.measure_latency(url, subjects.BY_NAME, per_second=PER_SECOND, seconds=SECONDS)


def find_medians(latencies: list[_load.Latency]) -> tuple[float, float]:
    """Return the medians of p50 and p99."""
    return statistics.median(each.p50 for each in latencies), statistics.median(each.p99 for each in latencies)


def scrape(client: httpx.Client) -> tuple[float, int]:
    """Read the metrics once; return how many milliseconds that took, and of how many bytes they are."""
    began = time.perf_counter()
    size = len(client.get("/metrics").content)
    return 1000 * (time.perf_counter() - began), size


@contextlib.contextmanager
def polling(gateway: subjects.Server) -> Iterator[None]:
    """Read both pages in a process of its own: this one launches."""
    with subprocess.Popen([sys.executable, __file__, gateway.url], cwd=subjects.ROOT) as process:
        time.sleep(1)
        yield
        if process.poll() is not None:
            raise SystemExit("the polling ended")
        process.terminate()


def poll(url: str) -> None:
    """Read both pages again and again."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    due = time.monotonic()
    while True:
        for path in PATHS:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            if answer.status != http.client.OK:
                raise SystemExit(f"{path}: {answer.status}")
        due += EVERY_S
        time.sleep(max(0.0, due - time.monotonic()))


def wait_for(is_so: Callable[[], object]) -> None:
    """Wait for a condition."""
    while not is_so():
        time.sleep(0.1)


if __name__ == "__main__":
    main()
