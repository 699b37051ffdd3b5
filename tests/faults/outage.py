"""What is asked of a gateway whose broker or ledger ails, and how fast it is itself again."""

import http.client
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
from msgspec import Struct, field

from tests.flood import Answered, post, request
from tests.harness import wait_for

API = "/api/celery"
LAUNCH = f"{API}/tasks/launch"
BODY = {"task_type": "faults.note", "params": {"number": 1}}
LIMITED = {"task_type": "faults.limited", "params": {"number": 1, "key": "outage"}}
BATCH = {"items": [BODY] * 600}
EVERY_S = 0.01


class Pulse(Struct):
    """How long liveness took to tell, at every look."""

    waits: list[float] = field(default_factory=list)


@contextmanager
def felt_pulse(url: str) -> Iterator[Pulse]:
    """Ask for liveness every ten milliseconds during the block."""
    pulse, done = Pulse(), threading.Event()

    def feel() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", int(url.rpartition(":")[2]), timeout=10)
        while not done.wait(EVERY_S):
            began = time.monotonic()
            connection.request("GET", "/health/live")
            connection.getresponse().read()
            pulse.waits.append(time.monotonic() - began)
        connection.close()

    thread = threading.Thread(target=feel)
    thread.start()
    try:
        yield pulse
    finally:
        done.set()
        thread.join(10)


def mix(task_id: str, count: int) -> Sequence[bytes]:
    """Make requests of every kind, launches most of all."""
    kinds = [
        *(post(LAUNCH, BODY, Idempotency_Key=f"{task_id}-{number}") for number in range(5)),
        post(LAUNCH, LIMITED),
        request("GET", f"{API}/tasks/{task_id}"),
        request("DELETE", f"{API}/tasks/{task_id}"),
        request("POST", f"{API}/tasks/{task_id}/retry"),
        request("GET", f"{API}/tasks"),
    ]
    return [post(f"{LAUNCH}/batch", BATCH), request("GET", "/health/ready"), *(kinds * (count // len(kinds)))]


def launch_one(url: str) -> str:
    """Launch a task, which has to be accepted."""
    answer = httpx.post(f"{url}{LAUNCH}", json=BODY, timeout=10)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


def time_return(url: str) -> float:
    """Launch until one is accepted and not made to wait; return how long that took, in seconds."""
    began = time.monotonic()

    def is_served() -> bool:
        answer = httpx.post(f"{url}{LAUNCH}", json=BODY, timeout=10)
        return answer.status_code == 200 and "away" not in answer.json()["message"]

    wait_for("a launch that is served", is_served, limit_s=15)
    return time.monotonic() - began


def is_ready(url: str) -> bool:
    """Ask for readiness."""
    return httpx.get(f"{url}/health/ready", timeout=10).status_code == 200


def find_codes(answers: Sequence[Answered]) -> set[str]:
    """Collect the codes of the problems, those of a batch's items included."""
    bodies = [answer.body for answer in answers if isinstance(answer.body, dict)]
    items = [item.get("problem", {}) for body in bodies for item in body.get("items", [])]
    return {body["code"] for body in [*bodies, *items] if "code" in body}
