"""tasks.yaml changed under a gateway that serves: no request fails, and every process ends at the same content."""

import concurrent.futures
import itertools
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.harness import find_listener, run_gateway, wait_for

API = "/api/celery"
TASKS = "version: 1\ntasks:\n  shop.{name}: {{parameters: {{item: {{type: string, maxLength: {length}}}}}}}\n"
BROKEN = "version: 1\ntasks: ["
SWAPS = int(os.environ.get("CHAOS_RELOADS", "16"))
pytestmark = pytest.mark.timeout(60 + SWAPS)


def swap(path: Path, text: str) -> None:
    """Put another file in its place, as a whole."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A file to change."""
    path = tmp_path / "tasks.yaml"
    path.write_text(TASKS.format(name="order", length=1))
    return path


@pytest.fixture
def processes(tmp_path: Path, lone_valkey_url: str, config: Path) -> Iterator[str]:
    """A gateway of two processes; it answers once both do."""
    url = f"{lone_valkey_url[:-1]}13"
    with run_gateway(tmp_path / "g.log", config=config, broker_url=url, workers="2") as base:
        wait_for("both processes", lambda: len(ask_all(base)) == 2)
        yield base


def ask_all(base: str) -> dict[str, str]:
    """Ask over connections of their own until both processes have answered, or long enough; (pid unknown) by loaded_at."""
    answers = (httpx.get(f"{base}{API}/config") for _ in range(24))
    return {answer.json()["loaded_at"]: answer.headers["gateway-digest"] for answer in answers}


def test_no_request_fails_while_the_file_changes(processes: str, config: Path) -> None:
    """Good and broken in turn, by signal and by itself; every answer is of one generation."""
    stop, statuses, digests = threading.Event(), [], set()

    def read() -> None:
        with httpx.Client(base_url=processes) as http:
            while not stop.is_set():
                answer = http.get(f"{API}/tasks")
                statuses.append(answer.status_code)
                digests.add(
                    (
                        answer.headers["gateway-digest"],
                        answer.json()[0]["parameters"]["properties"]["item"]["maxLength"],
                    )
                )

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        reading = [pool.submit(read) for _ in range(4)]
        for number in range(1, SWAPS):
            swap(config, TASKS.format(name="order", length=number + 1) if number % 2 else BROKEN)
            httpx.post(f"{processes}{API}/config/reload") if number % 3 else hang_up(processes)
        stop.set()
        for each in reading:
            each.result()
    swap(config, TASKS.format(name="order", length=999))
    settled = wait_for("one digest", lambda: found if len(set((found := ask_all(processes)).values())) == 1 else None)

    assert {200} == set(statuses)
    assert len({digest for digest, _ in digests}) == len(digests)
    assert len(digests) > 2
    assert 2 == len(settled)


def hang_up(base: str) -> None:
    """Send SIGHUP to the supervisor."""
    process = find_listener(base)
    while (parent := process.parent()) is not None and "serve" in parent.cmdline():
        process = parent
    process.send_signal(signal.SIGHUP)


def test_a_call_to_one_gateway_reaches_all(processes: str, config: Path) -> None:
    """Other processes of its port read the file too; launches are judged by it, and a broken one is told with its issues.

    A task of a type that is gone stays readable, and says under which generation it was launched (row F32).
    """
    launched = httpx.post(f"{processes}{API}/tasks/launch/shop.order", json={"item": "x"})
    swap(config, TASKS.format(name="return", length=9))
    state = httpx.post(f"{processes}{API}/config/reload").json()
    wait_for("both", lambda: {state["digest"]} == set(ask_all(processes).values()))
    gone = httpx.post(f"{processes}{API}/tasks/launch/shop.order", json={"item": "x"})
    left = httpx.get(f"{processes}{launched.json()['status_url']}")
    swap(config, TASKS.format(name="return", length='"x"'))
    refused = httpx.post(f"{processes}{API}/config/reload")
    ready = httpx.get(f"{processes}/health/ready").json()
    still = httpx.get(f"{processes}{API}/config")

    assert 404 == gone.status_code
    assert (200, launched.headers["gateway-generation"]) == (left.status_code, str(left.json()["generation"]))
    assert (422, "bad_config") == (refused.status_code, refused.json()["code"])
    assert refused.json()["issues"][0]["path"] == "tasks.shop.return.parameters.item.maxLength"
    assert ready["parts"]["config"]["warnings"]
    assert state["digest"] == still.json()["digest"]


def test_memory_is_flat_over_many_reloads(tmp_path: Path, lone_valkey_url: str, config: Path) -> None:
    """What a generation took is given back."""
    with run_gateway(tmp_path / "g.log", config=config, broker_url=f"{lone_valkey_url[:-1]}13") as base:
        process = psutil.Process(find_listener(base).pid)
        reload = make_reloads(base, config)
        for _ in range(SWAPS):
            next(reload)
        before = process.memory_info().rss
        for _ in range(SWAPS):
            next(reload)
        grown = process.memory_info().rss - before

    assert grown < 16 * 2**20


def make_reloads(base: str, config: Path) -> Iterator[None]:
    """Reload for ever, each time another content."""
    with httpx.Client(base_url=base, timeout=20) as http:
        for number in itertools.count(2):
            swap(config, TASKS.format(name="order", length=number))
            answer = http.post(f"{API}/config/reload")
            assert answer.json()["generation"] == number
            yield
