"""What a running gateway tells those who operate it."""

import json
from pathlib import Path
from typing import Any

import httpx

from tests.harness import wait_for

LAUNCH = "/api/celery/tasks/launch"
BODY = {"task_type": "sii.sync_documents", "params": {"company_id": "test"}}


def find_lines(log: Path, request_id: str) -> list[dict[str, Any]]:
    """Find what was logged of a request."""
    return [json.loads(line) for line in log.read_text().splitlines() if f'"request_id":"{request_id}"' in line]


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
