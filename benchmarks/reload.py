"""Reloading: how long a file of 1,000 task types takes to be served, and what launches feel of it."""

import contextlib
import statistics
import tempfile
import threading
import time
from pathlib import Path

import _load
import _report
import _subjects as subjects
import httpx

from gateway.demo.valkey import embedded_valkey

RELOADS = 5
PER_SECOND = 500
APART_S = 3.0


def main() -> None:
    """Measure, print and write down."""
    with contextlib.ExitStack() as stack:
        redis_url = stack.enter_context(embedded_valkey())
        config = Path(stack.enter_context(tempfile.TemporaryDirectory()), "tasks.yaml")
        subjects.write_thousand(config)
        gateway = stack.enter_context(subjects.run_gateway(redis_url, config=config))
        url = gateway.url + subjects.LAUNCH
        quiet = _load.measure_latency(url, subjects.BY_NAME, per_second=PER_SECOND, seconds=5)
        changes = [config.with_name(f"{number}.changed") for number in range(RELOADS)]
        for change in changes:  # written before, as this process is the one that launches
            subjects.write_thousand(change, description=f"What {change.stem} says.")
        takes: list[float] = []
        reloading = threading.Thread(target=lambda: takes.extend(reload(gateway, config, changes)))
        reloading.start()
        busy = _load.measure_latency(url, subjects.BY_NAME, per_second=PER_SECOND, seconds=(RELOADS + 1) * APART_S)
        reloading.join()
    rows = [
        (f"from POST /config/reload to its answer, {RELOADS} times: median and longest",
         f"{statistics.median(takes):.2f} s, {max(takes):.2f} s"),
        (f"launch at {PER_SECOND}/s with nothing beside it: p50, p99, slowest", write(quiet)),
        ("the same during the reloads", write(busy)),
    ]  # fmt: skip
    text = _report.write_table(("figure", "measured"), rows)
    _report.replace_block("reload", text)
    print(text)


def reload(gateway: subjects.Server, config: Path, changes: list[Path]) -> list[float]:
    """Change the file again and again; return how long each change took to be served, in seconds."""
    takes = []
    with httpx.Client(base_url=gateway.url + subjects.API, timeout=30) as http:
        for change in changes:
            time.sleep(APART_S)
            change.rename(config)
            before = http.get("/config").json()["generation"]
            began = time.perf_counter()
            after = http.post("/config/reload").raise_for_status().json()["generation"]
            takes.append(time.perf_counter() - began)
            if after != before + 1:
                raise SystemExit(f"generation {after} after {before}")
    return takes


def write(latency: _load.Latency) -> str:
    """Write a latency in words."""
    return f"{latency.p50:.1f} ms, {latency.p99:.1f} ms, {latency.worst:.0f} ms"


if __name__ == "__main__":
    main()
