"""What a running gateway tells those who operate it."""

import json
import socket
from pathlib import Path
from typing import Any

import httpx

from gateway.demo.valkey import embedded_valkey
from tests.harness import find_listener, run_gateway, suspended, wait_for

LAUNCH = "/api/celery/tasks/launch"
BODY = {"task_type": "sii.sync_documents", "params": {"company_id": "test"}}


def find_lines(log: Path, request_id: str) -> list[dict[str, Any]]:
    """Find the lines of a request; what is on record of its caller is another one."""
    lines = (line for line in log.read_text().splitlines() if line.startswith('{"event":"request"'))
    return [json.loads(line) for line in lines if f'"request_id":"{request_id}"' in line]


def test_each_request_is_one_line_of_json(client: httpx.Client, logs: Path) -> None:
    """With what finds it again: its id, its route, its task."""
    answer = client.post(LAUNCH, json=BODY, headers={"X-Request-ID": "one-line"})

    [line] = wait_for("the line", lambda: find_lines(logs / "gateway.log", "one-line"))
    assert "one-line" == answer.headers["x-request-id"]
    assert 0 < line.pop("duration_ms") < 5000
    assert line.pop("timestamp").endswith("Z")
    assert {
        "event": "request",
        "level": "info",
        "logger": "gateway.requests",
        "request_id": "one-line",
        "method": "POST",
        "route": LAUNCH,
        "status": 200,
        "code": None,
        "task_id": answer.json()["task_id"],
        "caller": None,
    } == line


def test_what_is_no_request_is_seen_too(client: httpx.Client, logs: Path) -> None:
    """Refused before the app is reached: counted, and a line of the log under the id of the answer."""
    before = count_refusals(client)

    with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        answer = connection.makefile("rb").read().decode()

    request_id = answer.partition("x-request-id: ")[2].partition("\r\n")[0]
    [line] = wait_for("the line", lambda: find_lines(logs / "gateway.log", request_id))
    assert ("unmatched", 400, "bad_request") == (line["route"], line["status"], line["code"])
    assert before + 1 == count_refusals(client)


def count_refusals(client: httpx.Client) -> float:
    """Return how many requests were no HTTP."""
    sign = 'gateway_refusals_total{code="bad_request"} '
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.removeprefix(sign)) for line in lines if line.startswith(sign))


def test_readiness_is_told_at_once_whatever_is_frozen(logs: Path) -> None:
    """Within 100 ms each time, by what each part said last; it turns within two seconds, both ways."""
    waits: list[float] = []

    def ask(status: str) -> dict[str, Any] | None:
        answer = http.get("/health/ready")
        waits.append(answer.elapsed.total_seconds())
        return answer.json() if answer.json()["status"] == status else None

    def ask_of_all(*, is_ready: bool) -> dict[str, Any] | None:
        told: dict[str, Any] = http.get("/health/ready").json()
        parts = (part["is_ready"] for name, part in told["parts"].items() if name != "config")
        return told if {is_ready} == set(parts) else None

    with (
        embedded_valkey() as broker_url,
        run_gateway(logs / "ready.log", broker_url=broker_url) as url,
        httpx.Client(base_url=url) as http,
    ):
        wait_for("readiness", lambda: ask("ready"), limit_s=2)
        with suspended(find_listener(broker_url)):
            wait_for("the freeze to be seen", lambda: ask("not ready"), limit_s=2)
            frozen = wait_for("it to be seen of every part", lambda: ask_of_all(is_ready=False), limit_s=2)
            metrics = http.get("/metrics").text
        thawed = wait_for("readiness again", lambda: ask("ready"), limit_s=2)

    assert max(waits) < 0.1
    assert {"broker", "ledger", "results", "config"} == frozen["parts"].keys()
    assert 'gateway_part_ready{part="ledger"} 0.0' in metrics
    assert thawed["parts"]["ledger"]["last_error"]
