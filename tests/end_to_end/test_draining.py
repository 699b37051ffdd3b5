"""Gateways that stop: first they say so, then they serve on, then nobody who listens to them is left (row F33)."""

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from redis import Redis

from gateway.demo.valkey import embedded_valkey, find_free_port
from tests.end_to_end.balancing import Balancer
from tests.end_to_end.test_streams import read_stream
from tests.harness import find_listener, run_gateway, suspended, wait_for

API = "/api/celery"
BODY = {"task_type": "sii.sync_documents", "params": {"company_id": "a"}}
DRAIN_S = 0.5
CLIENTS = 3


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """A Valkey whose queues no worker empties."""
    with embedded_valkey() as url:
        yield url


class Load:
    """Clients that launch without pause, each over connections that it keeps, and never try anything twice."""

    def __init__(self, balancer: Balancer) -> None:
        self.answers: list[int | str] = []
        """The status of each, or what went wrong."""
        self._balancer = balancer
        self._stopped = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Launch until the block ends."""
        threads = [threading.Thread(target=self._launch_on) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join()

    def _launch_on(self) -> None:
        with httpx.Client(timeout=10) as http:
            while not self._stopped.wait(0.01):
                try:
                    self.answers.append(http.post(f"{self._balancer.pick()}{API}/tasks/launch", json=BODY).status_code)
                except httpx.HTTPError as error:
                    self.answers.append(repr(error))


def launch(url: str) -> str:
    """Launch a task that nobody runs."""
    return str(httpx.post(f"{url}{API}/tasks/launch", json=BODY).raise_for_status().json()["task_id"])


def follow(balancer: Balancer, task_id: str, heard: list[tuple[str, str]]) -> None:
    """Follow a task to its end, at whichever gateway is ready; note each event with the gateway that told it."""
    last_seen = ""
    while not heard or heard[-1][1] != "final":
        url = balancer.pick()
        for entry_id, kind, _ in read_stream(f"{url}{API}/tasks/{task_id}/events", last_seen):
            last_seen = entry_id or last_seen
            heard.append((url, kind))


def test_a_rolling_restart_under_load_fails_no_request(redis_url: str, tmp_path: Path) -> None:
    """Two gateways are stopped in turn, and the first is back before the second goes: streams go on at the other one, and every launch is in the broker."""
    urls = tuple(f"http://127.0.0.1:{find_free_port('127.0.0.1')}" for _ in range(2))
    balancer, heard, stops_s = Balancer(urls), list[tuple[str, str]](), list[float]()
    load = Load(balancer)

    def start(url: str, count: int) -> ExitStack:
        stack = ExitStack()
        log = tmp_path / f"{urls.index(url)}-{count}.log"
        port = int(url.rpartition(":")[2])
        stack.enter_context(run_gateway(log, port=port, broker_url=redis_url, drain_s=str(DRAIN_S)))
        return stack

    def stop(url: str) -> float:
        began = time.monotonic()
        running[url].close()
        return time.monotonic() - began

    with ExitStack() as end, Redis.from_url(redis_url) as store:
        store.flushall()
        running = {url: end.enter_context(start(url, 1)) for url in urls}
        end.enter_context(balancer.watching())
        balancer.wait_for_ready(*urls)
        task_id = launch(urls[0])
        follower = threading.Thread(target=follow, args=(balancer, task_id, heard))
        with load.running():
            follower.start()
            stops_s.append(stop(urls[0]))
            end.enter_context(start(urls[0], 2))
            balancer.wait_for_ready(*urls)
            stops_s.append(stop(urls[1]))
        httpx.delete(f"{balancer.pick()}{API}/tasks/{task_id}").raise_for_status()
        follower.join(10)
        waiting = store.llen("sii")

    assert {200} == set(load.answers)
    assert len(load.answers) == waiting
    assert len(load.answers) > 100
    assert all(DRAIN_S < each < DRAIN_S + 2 for each in stops_s), stops_s
    assert "final" == heard[-1][1]
    assert set(urls) == {url for url, _ in heard}
    assert "bye" in {kind for _, kind in heard}


def find_told(url: str) -> psutil.Process:
    """Find the process that whoever stops a gateway tells: the supervisor, where there is one."""
    process = find_listener(url)
    while (parent := process.parent()) is not None and "serve" in parent.cmdline():
        process = parent
    return process


def wait_for_end(process: psutil.Process, number: signal.Signals) -> float:
    """Tell a process to stop until it has; return how long that took."""
    began = time.monotonic()

    def is_over() -> bool:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        process.send_signal(number)
        return False

    wait_for("the end", is_over, limit_s=10)
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("workers", "second"),
    [
        pytest.param("1", signal.SIGINT, id="one process, then Ctrl-C"),
        pytest.param("2", signal.SIGTERM, id="two processes, then SIGTERM again"),
    ],
)
def test_a_gateway_that_is_told_to_stop_serves_on(
    redis_url: str, tmp_path: Path, workers: str, second: signal.Signals
) -> None:
    """Not ready at once, it ends its streams and answers old and new connections, which it closes; told again, it ends."""
    settings = {"broker_url": redis_url, "drain_s": "60", "workers": workers}
    with run_gateway(tmp_path / "gateway.log", **settings) as url, httpx.Client(base_url=url, timeout=10) as http:
        wait_for("readiness", lambda: http.get("/health/ready").is_success)
        events = read_stream(f"{url}{API}/tasks/{(task_id := launch(url))}/events")
        first, process = next(events), find_told(url)
        process.send_signal(signal.SIGTERM)
        wait_for("its say", lambda: http.get("/health/ready").json()["status"] == "stopping", limit_s=2)
        rest = list(events)
        answers = [http.get("/health/ready"), http.get("/health/startup"), http.post(f"{API}/tasks/launch", json=BODY)]
        told = launch_twice(url)
        again = next(read_stream(f"{url}{API}/tasks/{task_id}/events"))
        wait_for("nobody to wait", lambda: count_waiting(http) == 0)
        poll = threading.Thread(target=lambda: answers.append(http.get(f"{API}/tasks/{task_id}?wait_s=20")))
        poll.start()
        wait_for("the poll to be served", lambda: count_waiting(http) == 1)
        ended_s = wait_for_end(process, second)
        poll.join()

    assert ["status", "bye"] == [kind for _, kind, _ in (first, *rest)]
    assert [503, 200, 200, 200] == [each.status_code for each in answers]
    assert {"close"} == {each.headers["connection"] for each in answers}
    assert (1, 1) == (told.count(b"HTTP/1.1 200 OK"), told.count(b"connection: close\r\n"))
    assert first == again
    assert ended_s < 4


def count_waiting(http: httpx.Client) -> float:
    """Return how many requests wait, as a scrape tells."""
    lines = http.get("/metrics").text.splitlines()
    return float(next(each.split()[1] for each in lines if each.startswith("gateway_requests_waiting ")))


def launch_twice(url: str) -> bytes:
    """Send two launches over one connection at once; return what comes until the gateway closes it."""
    body = json.dumps(BODY).encode()
    head = f"POST {API}/tasks/launch HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    parts = urlsplit(url)
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=5) as connection:
        connection.sendall((head.encode() + body) * 2)
        pieces = []
        while piece := connection.recv(65_536):
            pieces.append(piece)
    return b"".join(pieces)


def test_a_frozen_redis_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """With launches under way that nobody will confirm: they are answered, and every process has ended in its time."""
    log, answers = tmp_path / "gateway.log", list[int]()
    settings = {"drain_s": str(DRAIN_S), "shutdown_s": "5", "workers": "2"}

    def post() -> None:
        answers.append(httpx.post(f"{url}{API}/tasks/launch", json=BODY, timeout=10).status_code)

    with embedded_valkey() as own_url, run_gateway(log, broker_url=own_url, **settings) as url:
        wait_for("readiness", lambda: httpx.get(f"{url}/health/ready").is_success)
        process = find_told(url)
        with suspended(find_listener(own_url)):
            threads = [threading.Thread(target=post) for _ in range(4)]
            for thread in threads:
                thread.start()
            wait_for("a frozen part", lambda: httpx.get(f"{url}/health/ready").json()["status"] == "not ready")
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(20)
            ended_s = time.monotonic() - began
            for thread in threads:
                thread.join()

    assert [503] * 4 == answers
    assert ended_s < DRAIN_S + 5
    assert "closing_abandoned" not in log.read_text()
