"""What ails a broker or a ledger, what is asked of a gateway meanwhile, and how fast it is itself again."""

import asyncio
import http.client
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import httpx
from msgspec import Struct, field

from tests.faults.proxy import FaultProxy
from tests.flood import Answered, flood, post, request
from tests.harness import wait_for

API = "/api/celery"
LAUNCH = f"{API}/tasks/launch"
BODY = {"task_type": "faults.note", "params": {"number": 1}}
LIMITED = {"task_type": "faults.limited", "params": {"number": 1, "key": "outage"}}
BATCH = {"items": [BODY] * 600}
EVERY_S = 0.01
RETURN_S = 2.0
NOTICE_S = 2.0
"""Within so long readiness tells of an outage."""
PULSE_S = 1.0
"""For a process that has just been sent hundreds of requests on two busy cores; one that blocks would take two seconds."""


class Ward(Protocol):
    """A gateway whose broker is behind a proxy."""

    @property
    def url(self) -> str:
        """The gateway."""

    @property
    def wire(self) -> FaultProxy:
        """What is between it and its broker."""


@contextmanager
def silent(ward: Ward) -> Iterator[None]:
    """A black hole: connections stay, and nothing comes through."""
    ward.wire.is_silent = True
    yield
    ward.wire.heal()


@contextmanager
def slow(ward: Ward) -> Iterator[None]:
    """Every answer takes longer than anybody waits."""
    ward.wire.latency_s = 1.5
    yield
    ward.wire.heal()


@contextmanager
def sluggish(ward: Ward) -> Iterator[None]:
    """Every answer takes long, but comes: what needs several of them has to give up all the same."""
    ward.wire.latency_s = 0.25
    yield
    ward.wire.heal()


@contextmanager
def gone(ward: Ward) -> Iterator[None]:
    """As after a crash."""
    ward.wire.is_refusing = True
    ward.wire.cut()
    yield
    ward.wire.heal()


class Outage(Struct, frozen=True):
    """What was seen of a gateway during an outage and after it."""

    answers: list[Answered]
    return_s: float
    pulse_s: float
    """The longest that liveness took to tell."""

    def check(self, *, answer_s: float, codes: set[str]) -> None:
        """Fail where a request was late or answered with anything else, or the gateway was not soon itself again."""
        assert max(answer.waited_s for answer in self.answers) < answer_s
        assert {answer.status for answer in self.answers} <= {200, 409, 503}
        strange = find_codes(self.answers) - codes - {"concurrency_limit", "task_unfinished"}
        assert not strange, strange
        assert self.return_s < RETURN_S
        assert self.pulse_s < PULSE_S


def go_through(
    ward: Any, ail: Callable[[Any], AbstractContextManager[None]], task_id: str, *, ready_s: float = RETURN_S
) -> Outage:
    """Ask for everything while the broker ails, then wait until all is well; readiness may take `ready_s`."""
    with felt_pulse(ward.url) as pulse:
        with ail(ward):
            answers = asyncio.run(flood(ward.url, mix(task_id, 150)))
            wait_for("readiness to turn", lambda: not is_ready(ward.url), limit_s=NOTICE_S)
        return_s = time_return(ward.url)
        wait_for("readiness", lambda: is_ready(ward.url), limit_s=ready_s)
    return Outage(answers, return_s, max(pulse.waits))


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
