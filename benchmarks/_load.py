"""Load: wrk for how much a server takes, an open loop for how long it takes at a steady rate."""

import asyncio
import json
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Latency(NamedTuple):
    """Percentiles in milliseconds, from when a request was due."""

    p50: float
    p99: float
    worst: float


def find_wrk() -> str:
    """Return wrk's path; end with a sentence where there is none."""
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("wrk is not installed: apt-get install wrk")
    return found


def measure_rate(url: str, body: Any, *, seconds: int, connections: int = 32, key: str = "") -> float:
    """Post a body as fast as a server answers, with an API key if there is one; return its answers per second.

    Any answer but 2xx ends the run.
    """
    text = json.dumps(body).replace("\\", "\\\\").replace("'", "\\'")
    script = f"wrk.method='POST'\nwrk.headers['Content-Type']='application/json'\nwrk.body='{text}'\n"
    script += f"wrk.headers['X-API-Key']='{key}'\n" if key else ""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        return _run_wrk(url, "-t2", f"-c{connections}", f"-d{seconds}s", "-s", file.name)


def _run_wrk(url: str, *arguments: str) -> float:
    printed = subprocess.run([find_wrk(), *arguments, url], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in printed or "Socket errors" in printed:
        raise SystemExit(f"{url} failed under load:\n{printed}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    if found is None:
        raise SystemExit(f"wrk says nothing of its rate:\n{printed}")
    return float(found.group(1))


def measure_reads(url: str, *, seconds: int, connections: int = 32) -> float:
    """Get a page as fast as a server answers; return its answers per second.

    Any answer but 2xx ends the run.
    """
    return _run_wrk(url, "-t2", f"-c{connections}", f"-d{seconds}s")


def measure_latency(
    url: str, body: Any, *, per_second: int, seconds: float, beside: Sequence[str] = (), every_s: float = 0.005
) -> Latency:
    """Post at a steady rate, whatever the answers do; `beside` are pages that are read again and again meanwhile."""
    return asyncio.run(_measure_latency(url, body, per_second, seconds, [(page, every_s) for page in beside]))


async def _measure_latency(
    url: str, body: Any, per_second: int, seconds: float, beside: Sequence[tuple[str, float]]
) -> Latency:
    lanes = 64
    started = time.perf_counter() + 0.2
    request = _write_request(url, json.dumps(body).encode())
    count = int(per_second * seconds)
    due = [started + index / per_second for index in range(count)]
    reading = [asyncio.create_task(_read_in_loop(*page)) for page in beside]
    waits = await asyncio.gather(*(_post_lane(url, request, due[lane::lanes]) for lane in range(lanes)))
    for each in reading:
        each.cancel()
    all_waits = sorted(wait for lane in waits for wait in lane)
    cuts = statistics.quantiles(all_waits, n=100)
    return Latency(cuts[49] * 1000, cuts[98] * 1000, all_waits[-1] * 1000)


async def _post_lane(url: str, request: bytes, due: list[float]) -> list[float]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    waits = []
    for moment in due:
        await asyncio.sleep(max(0.0, moment - time.perf_counter()))
        writer.write(request)
        await _read_answer(reader)
        waits.append(time.perf_counter() - moment)
    writer.close()
    return waits


async def _read_in_loop(url: str, every_s: float) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    while True:
        writer.write(f"GET {parts.path} HTTP/1.1\r\nHost: gateway\r\n\r\n".encode())
        await _read_answer(reader)
        await asyncio.sleep(every_s)


async def _read_answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 2"):
        raise SystemExit(f"not 2xx: {head[:80]!r}")
    length = re.search(rb"content-length: (\d+)", head.lower())
    await reader.readexactly(int(length.group(1)) if length else 0)


def _write_request(url: str, body: bytes) -> bytes:
    head = f"POST {urlsplit(url).path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
