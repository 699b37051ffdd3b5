"""Following: status reads beside the FastAPI router, what waiting costs, and how late an event comes."""

import asyncio
import contextlib
import json
import resource
import statistics
import time
from typing import Any

import _load
import _report
import _subjects as subjects
import httpx
import redis
import redis.asyncio

from gateway.demo.valkey import embedded_valkey

ROUNDS, SECONDS, WARM_UP_S = 3, 4, 2
WAITERS = 5000
STREAMS = 1000
CHANGES_PER_S = 200
CHANGES_S = 10
HOST = "127.0.0.1"


def main() -> None:
    """Measure everything, print it and write it down."""
    _load.find_wrk()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    python = subjects.make_venv()
    with contextlib.ExitStack() as stack:
        redis_url = stack.enter_context(embedded_valkey())
        client = stack.enter_context(redis.Redis.from_url(redis_url))
        gateway = stack.enter_context(subjects.run_gateway(redis_url))
        router = stack.enter_context(subjects.run_asgi("fastapi_router", redis_url, python=python))
        rates = measure_reads(gateway, router, client)
        figures = [measure_waiters(gateway, client), *measure_streams(gateway, redis_url)]
    reads = _report.write_table(
        ("status of", "gateway, reads/s", "FastAPI router with AsyncResult, reads/s", "ratio"),
        [(what, f"{ours:,.0f}", f"{theirs:,.0f}", f"{ours / theirs:.1f}") for what, (ours, theirs) in rates.items()],
    )
    text = f"{reads}\n\n{_report.write_table(('figure', 'measured'), figures)}"
    _report.replace_block("follow", text)
    print(text)


def measure_reads(
    gateway: subjects.Server, router: subjects.Server, client: redis.Redis
) -> dict[str, tuple[float, float]]:
    """Return status reads a second: the medians of rounds in which both take turns.

    A router's AsyncResult asks the backend anew for each attribute until the task has ended, and remembers then.
    """
    waiting, ended = launch(gateway), launch(gateway)
    write(client, ended, "SUCCESS", {"company_id": "76123456-7", "months": 3, "documents": 111})
    found: dict[tuple[str, int], list[float]] = {}
    for round_ in range(ROUNDS + 1):
        for what, task_id in (("a task that waits", waiting), ("a task that has ended", ended)):
            urls = (f"{gateway.url}{subjects.API}/tasks/{task_id}", f"{router.url}/tasks/{task_id}")
            for server, url in zip((gateway, router), urls, strict=True):
                with subjects.alone(server, (gateway, router)):
                    rate = _load.measure_reads(url, seconds=SECONDS if round_ else WARM_UP_S)
                found.setdefault((what, server.pid), []).extend([rate] if round_ else [])
    medians = {key: statistics.median(rates) for key, rates in found.items()}
    return {what: (medians[what, gateway.pid], medians[what, router.pid]) for what, _ in medians}


def measure_waiters(gateway: subjects.Server, client: redis.Redis) -> tuple[str, str]:
    """Let thousands wait for tasks of their own; measure the process, then wake them and measure how late they hear."""
    held_mb, waits_ms = asyncio.run(wait_together(gateway, client))
    cuts = statistics.quantiles(waits_ms, n=100)
    return (
        f"{WAITERS:,} long polls at once, each of another task: gateway process; woken one by one, p50 and p99",
        f"{held_mb:.0f} MB; {cuts[49]:.1f} ms, {cuts[98]:.1f} ms",
    )


async def wait_together(gateway: subjects.Server, client: redis.Redis) -> tuple[float, list[float]]:
    """Return the memory of the gateway while all wait, and how long after the change each answer came."""
    ids = [task_id for _ in range(WAITERS // 1000) for task_id in launch_batch(gateway)]
    port = int(gateway.url.rpartition(":")[2])
    waiting: list[tuple[str, asyncio.StreamReader, asyncio.StreamWriter]] = []
    for task_id in ids:
        reader, writer = await asyncio.open_connection(HOST, port)
        path = f"{subjects.API}/tasks/{task_id}?wait_s=120"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n".encode())
        waiting.append((task_id, reader, writer))
    await asyncio.to_thread(until_subscribed, client, ids)
    held_mb = subjects.read_rss_mb(gateway.pid)
    late = []
    for task_id, reader, _ in waiting[:1000]:
        began = time.perf_counter()
        write(client, task_id, "SUCCESS", 1)
        await reader.readuntil(b"}")
        late.append((time.perf_counter() - began) * 1000)
    for _, _, writer in waiting:
        writer.close()
    return held_mb, late


def measure_streams(gateway: subjects.Server, redis_url: str) -> list[tuple[str, str]]:
    """Open many streams and change their tasks at a steady rate; measure how late each event comes."""
    late_ms, missed = asyncio.run(stream_together(gateway, redis_url))
    cuts = statistics.quantiles(late_ms, n=100)
    return [
        (
            f"{STREAMS:,} event streams, {CHANGES_PER_S} state changes/s: delivery p50 and p99; missed",
            f"{cuts[49]:.1f} ms, {cuts[98]:.1f} ms; {missed}",
        ),
        ("gateway process meanwhile", f"{subjects.read_rss_mb(gateway.pid):.0f} MB"),
    ]


async def stream_together(gateway: subjects.Server, redis_url: str) -> tuple[list[float], int]:
    """Return how long after the publish each event came, in milliseconds, and how many never did."""
    ids = launch_batch(gateway)
    late: list[float] = []
    sent: dict[tuple[str, int], float] = {}
    opened = asyncio.Semaphore(0)
    readers = [asyncio.create_task(read_stream(gateway, task_id, sent, late, opened)) for task_id in ids]
    for _ in ids:
        await opened.acquire()
    client = redis.asyncio.Redis.from_url(redis_url)
    with redis.Redis.from_url(redis_url) as looking:
        await asyncio.to_thread(until_subscribed, looking, ids)
    began = time.perf_counter()
    count = CHANGES_PER_S * CHANGES_S
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / CHANGES_PER_S - time.perf_counter()))
        task_id, step = ids[number % len(ids)], number // len(ids) + 1
        sent[task_id, step] = time.perf_counter()
        raw = record(task_id, "PROGRESS", {"current": step, "total": 99})
        await client.set(f"celery-task-meta-{task_id}", raw)
        await client.publish(f"celery-task-meta-{task_id}", raw)
    await asyncio.sleep(2)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    await client.aclose()
    return late, count - len(late)


async def read_stream(
    gateway: subjects.Server,
    task_id: str,
    sent: dict[tuple[str, int], float],
    late: list[float],
    opened: asyncio.Semaphore,
) -> None:
    """Read one stream and note when each step arrives."""
    reader, writer = await asyncio.open_connection(HOST, int(gateway.url.rpartition(":")[2]))
    writer.write(f"GET {subjects.API}/tasks/{task_id}/events HTTP/1.1\r\nHost: gateway\r\n\r\n".encode())
    try:
        async for line in reader:
            if not line.startswith(b"data: "):
                continue
            arrived, status = time.perf_counter(), json.loads(line[6:])
            if status["status"] == "PENDING":
                opened.release()
            else:
                late.append((arrived - sent[task_id, status["progress"]["current"]]) * 1000)
    finally:
        writer.close()


def until_subscribed(client: redis.Redis, task_ids: list[str]) -> None:
    """Return once somebody listens to each task."""
    channels = [f"celery-task-meta-{task_id}" for task_id in task_ids]
    while any(count == 0 for _, count in client.pubsub_numsub(*channels)):
        time.sleep(0.05)


def launch(gateway: subjects.Server) -> str:
    """Launch one task that no worker runs."""
    return str(httpx.post(gateway.url + subjects.LAUNCH, json=subjects.BY_NAME).json()["task_id"])


def launch_batch(gateway: subjects.Server) -> list[str]:
    """Launch 1,000 tasks that no worker runs."""
    batch = {"items": [subjects.BY_NAME] * 1000}
    items = httpx.post(gateway.url + subjects.LAUNCH_BATCH, json=batch, timeout=30).json()["items"]
    return [item["receipt"]["task_id"] for item in items]


def record(task_id: str, status: str, result: Any) -> str:
    """Write a record as Celery does."""
    meta = {"status": status, "result": result, "traceback": None, "children": [], "date_done": None}
    return json.dumps(meta | {"task_id": task_id})


def write(client: redis.Redis, task_id: str, status: str, result: Any) -> None:
    """Set and publish a record as Celery's backend does."""
    raw = record(task_id, status, result)
    with client.pipeline() as pipeline:
        pipeline.set(f"celery-task-meta-{task_id}", raw)
        pipeline.publish(f"celery-task-meta-{task_id}", raw)
        pipeline.execute()


if __name__ == "__main__":
    main()
