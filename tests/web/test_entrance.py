"""What is seen of each request: enough to find it again, and nothing that a caller keeps to itself."""

from collections.abc import Iterator

import httpx
import msgspec
import pytest

from gateway.backends.memory import MemoryBackend
from gateway.metrics.cells import Cells
from gateway.metrics.meter import Meter
from gateway.web.app import build_app
from gateway.web.entrance import Entrance, Seen
from gateway.web.shedding import Shedder
from tests.web.conftest import make_site

API = "/api/celery/tasks"
LAUNCH = f"{API}/launch"
TASK_ID = "01890000-0000-7000-8000-000000000000"
CANARY = "canary-7f3"


class Notes:
    """A log that keeps everything."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def note(self, seen: Seen) -> None:
        """Keep it."""
        self.seen.append(seen)


@pytest.fixture
def notes() -> Notes:
    """What was seen."""
    return Notes()


@pytest.fixture
def entrance(backend: MemoryBackend, notes: Notes) -> Entrance:
    """The whole of what serves, as the runtime puts it together."""
    shedder = Shedder(build_app(make_site(backend)), max_requests=9, max_waits=9, max_body_bytes=4096)
    entrance = Entrance(shedder, tally=Meter(Cells()), log=notes)
    entrance.marks = ((b"gateway-generation", b"7"),)
    return entrance


@pytest.fixture
def client(entrance: Entrance) -> Iterator[httpx.AsyncClient]:
    """A client of it."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(entrance), base_url="http://gateway")


@pytest.mark.parametrize(
    ("method", "path", "body", "route", "status", "code"),
    [
        pytest.param("POST", LAUNCH, {"task_type": "shop.order", "params": {"item": "tea"}}, LAUNCH, 200, None, id="launch"),
        pytest.param("POST", f"{LAUNCH}/shop.order", {"item": "tea"}, f"{LAUNCH}/{{task_type}}", 202, None, id="typed"),
        pytest.param("POST", f"{LAUNCH}/shop.order", {}, f"{LAUNCH}/{{task_type}}", 422, "refused_params", id="refused"),
        pytest.param("POST", f"{LAUNCH}/none", {}, f"{LAUNCH}/{{task_type}}", 404, "unknown_task_type", id="no such type"),
        pytest.param("POST", f"{LAUNCH}/batch", {"items": []}, f"{LAUNCH}/batch", 422, "refused_params", id="batch"),
        pytest.param("GET", f"{API}/{TASK_ID}", None, f"{API}/{{task_id}}", 404, "unknown_task", id="no such task"),
        pytest.param("GET", f"{API}/{TASK_ID}?wait_s=1", None, f"{API}/{{task_id}}?wait", 404, "unknown_task", id="wait"),
        pytest.param("GET", f"{API}/{TASK_ID}/events", None, f"{API}/{{task_id}}/events", 404, "unknown_task", id="events"),
        pytest.param("DELETE", f"{API}/{TASK_ID}", None, f"{API}/{{task_id}}", 404, "unknown_task", id="revoke"),
        pytest.param("GET", API, None, API, 200, None, id="catalog"),
        pytest.param("GET", f"/{CANARY}", None, "unmatched", 404, "not_found", id="no such page"),
        pytest.param("DELETE", LAUNCH, None, LAUNCH, 405, "method_not_allowed", id="method"),
    ],
)  # fmt: skip
async def test_each_request_is_seen_by_its_route(
    client: httpx.AsyncClient,
    notes: Notes,
    method: str,
    path: str,
    body: object,
    route: str,
    status: int,
    code: str | None,
) -> None:
    """The template stands for the path, so that what is seen is of bounded kinds."""
    await client.request(method, path, json=body)

    [seen] = notes.seen
    assert (method, route, status, code) == (seen.method, seen.route, seen.status, seen.code)
    assert seen.duration_s > 0


async def test_the_task_is_named(client: httpx.AsyncClient, notes: Notes) -> None:
    """The one that was launched, or that the path names."""
    launched = (await client.post(f"{LAUNCH}/shop.order", json={"item": "tea"})).json()["task_id"]
    for path in (launched, f"{launched}/result"):
        await client.get(f"{API}/{path}")
    await client.delete(f"{API}/{CANARY}")

    assert [launched, launched, launched, None] == [seen.task_id for seen in notes.seen]


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [
        pytest.param("a-B_3.4:5/6+7=", True, id="safe characters"),
        pytest.param("x" * 128, True, id="long"),
        pytest.param("x" * 129, False, id="too long"),
        pytest.param("a b", False, id="space"),
        pytest.param('a"b', False, id="quote"),
        pytest.param("a\x1b[31m", False, id="escape"),
        pytest.param("", False, id="empty"),
    ],
)
async def test_a_request_keeps_its_callers_name_for_it(
    client: httpx.AsyncClient, notes: Notes, *, given: str, is_taken: bool
) -> None:
    """If it is of bounded length and safe characters; any other request gets a name of ours. Both are answered."""
    answers = [await client.get(API, headers={"X-Request-ID": given}) for _ in range(2)]

    ids = [answer.headers["x-request-id"] for answer in answers]
    assert ids == [seen.request_id for seen in notes.seen]
    assert [is_taken] * 2 == [each == given for each in ids]
    assert is_taken or ids[0] != ids[1]


async def test_every_answer_is_marked(client: httpx.AsyncClient, entrance: Entrance) -> None:
    """Whoever gives it: a door, the framework, or the shedder that lets nobody in."""
    paths = (f"{API}/{TASK_ID}", API, "/none")
    answers = [await client.get(path) for path in paths]
    entrance.marks = ((b"gateway-generation", b"8"),)
    answers.append(await client.post(LAUNCH))

    assert ["7", "7", "7", "8"] == [answer.headers["gateway-generation"] for answer in answers]


async def test_nothing_that_was_sent_is_seen(client: httpx.AsyncClient, notes: Notes) -> None:
    """Neither headers, nor queries, nor bodies, nor paths."""
    headers = {"Authorization": f"Bearer {CANARY}", "Idempotency-Key": CANARY, "X-Request-ID": f"{CANARY} "[:-1] + "é"}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    body = {"item": CANARY, "token": CANARY}
    for path in (f"{LAUNCH}/shop.order?secret={CANARY}", f"{LAUNCH}/shop.order", f"/{CANARY}", f"{LAUNCH}/{CANARY}"):
        await client.post(path, json=body, headers=raw)
    await client.request(CANARY.upper(), API)

    assert 5 == len(notes.seen)
    assert CANARY.lower() not in msgspec.json.encode(notes.seen).decode().lower()
