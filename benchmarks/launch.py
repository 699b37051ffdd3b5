"""Launches: how many a second, how late, and what one costs; the gateway beside its baselines in one run."""

import contextlib
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import _load
import _report
import _subjects as subjects
import redis

from gateway.demo.valkey import embedded_valkey

ROUNDS = 3
SECONDS = 4
WARM_UP_S = 2
STEADY = 2000


class Subject(NamedTuple):
    """One server under one kind of request."""

    label: str
    server: subjects.Server
    path: str
    body: Any
    connections: int = 32
    launches: int = 1
    key: str = ""


def main() -> None:
    """Measure everything, print it and write it down."""
    _load.find_wrk()
    python = subjects.make_venv()
    with contextlib.ExitStack() as stack:
        redis_url = stack.enter_context(embedded_valkey())
        client = stack.enter_context(redis.Redis.from_url(redis_url))
        found, gateway = _start(stack, redis_url, python)
        rates = measure_rates(found, client)
        figures = measure_figures(gateway, client)
    text = write_report(rates, figures)
    _report.replace_block("launch", text)
    bars = [(label, rate) for label, rate in rates.items() if "batch" not in label]
    _report.write_plot(Path(__file__).with_suffix(".svg"), "launches a second, 32 connections, one process", bars)
    print(text)


def _start(stack: contextlib.ExitStack, redis_url: str, python: str) -> tuple[list[Subject], subjects.Server]:
    gateway = stack.enter_context(subjects.run_gateway(redis_url))
    guarded, key = stack.enter_context(subjects.run_guarded(redis_url))
    thousand = stack.enter_context(subjects.run_thousand(redis_url))
    router = stack.enter_context(subjects.run_asgi("fastapi_router", redis_url, python=python))
    flower = stack.enter_context(subjects.run_flower(redis_url, python=python))
    litestar = stack.enter_context(subjects.run_asgi("empty_litestar", redis_url))
    bare = stack.enter_context(subjects.run_asgi("bare_asgi", redis_url))
    batch = {"items": [subjects.BY_NAME] * 1000}
    kwargs = {"kwargs": subjects.PARAMS}
    return [
        Subject("gateway, by name", gateway, subjects.LAUNCH, subjects.BY_NAME),
        Subject("gateway, typed route", gateway, subjects.LAUNCH_TYPED, subjects.PARAMS),
        Subject("gateway, with a key and rights", guarded, subjects.LAUNCH, subjects.BY_NAME, key=key),
        Subject("gateway, 1,000 task types", thousand, subjects.LAUNCH, subjects.BY_NAME),
        Subject("gateway, batches of 1,000", gateway, subjects.LAUNCH_BATCH, batch, 4, 1000),
        Subject("FastAPI router", router, "/tasks/launch", subjects.BY_NAME),
        Subject("Flower send-task", flower, "/api/task/send-task/sii.sync_documents", kwargs),
        Subject("empty Litestar POST", litestar, "/launch", subjects.BY_NAME),
        Subject("bare ASGI callable", bare, "/launch", subjects.BY_NAME),
    ], gateway


def measure_rates(found: list[Subject], client: redis.Redis) -> dict[str, float]:
    """Return launches a second of each subject: the median of rounds in which all take turns."""
    rates: dict[str, list[float]] = {subject.label: [] for subject in found}
    for round_ in range(ROUNDS + 1):
        for subject in found:
            with subjects.alone(subject.server, [other.server for other in found]):
                rate = _load.measure_rate(
                    subject.server.url + subject.path,
                    subject.body,
                    seconds=SECONDS if round_ else WARM_UP_S,
                    connections=subject.connections,
                    key=subject.key,
                )
            if round_:
                rates[subject.label].append(rate * subject.launches)
            forget(client)
    return {label: statistics.median(values) for label, values in rates.items()}


def measure_figures(gateway: subjects.Server, client: redis.Redis) -> list[tuple[str, str]]:
    """Measure what is not a rate."""
    url = gateway.url + subjects.LAUNCH
    quiet = _load.measure_latency(url, subjects.BY_NAME, per_second=STEADY, seconds=5)
    stats = f"{gateway.url}{subjects.API}/stats"
    busy = _load.measure_latency(url, subjects.BY_NAME, per_second=STEADY, seconds=5, beside=[stats])
    row = next(client.scan_iter("gateway:task:*"))
    row_bytes = client.memory_usage(row)
    forget(client)
    batch = {"items": [subjects.BY_NAME] * 1000}
    sizes = []
    for _ in range(2):
        _load.measure_rate(gateway.url + subjects.LAUNCH_BATCH, batch, seconds=4, connections=4)
        sizes.append(subjects.read_rss_mb(gateway.pid))
        forget(client)
    return [
        (f"launch at {STEADY:,}/s, p50 and p99", f"{quiet.p50:.1f} ms, {quiet.p99:.1f} ms"),
        ("the same while /stats is read in a loop", f"{busy.p50:.1f} ms, {busy.p99:.1f} ms"),
        ("one ledger row in Redis", f"{row_bytes} bytes"),
        (
            "gateway process after about 100,000 launches more, and as many again",
            f"{sizes[0]:.0f} MB, {sizes[1]:.0f} MB",
        ),
    ]


def forget(client: redis.Redis) -> None:
    """Empty Redis but for the gateway's identity, which its process remembers."""
    identity = client.get("gateway:identity")
    client.flushall()
    if identity is not None:
        client.set("gateway:identity", identity)


def write_report(rates: dict[str, float], figures: list[tuple[str, str]]) -> str:
    """Write the tables."""
    ours, compare = rates["gateway, by name"], _make_comparer(rates)
    rows = [(label, f"{rate:,.0f}", compare(label)) for label, rate in rates.items()]
    table = _report.write_table(("server", "launches/s", "the gateway by name, against it"), rows)
    ratio = ours / rates["gateway, 1,000 task types"]
    more = _report.write_table(
        ("figure", "measured"), [*figures, ("four task types against 1,000", f"{ratio:.2f} times the rate")]
    )
    return f"{table}\n\n![launches a second](launch.svg)\n\n{more}"


def _make_comparer(rates: dict[str, float]) -> Callable[[str], str]:
    def compare(label: str) -> str:
        return "" if label.startswith("gateway") else f"{rates['gateway, by name'] / rates[label]:.1f} times"

    return compare


if __name__ == "__main__":
    main()
