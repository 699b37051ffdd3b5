"""The history over HTTP."""

from urllib.parse import quote

import httpx
import pytest

from gateway.backends.memory import MemoryBackend

API = "/api/celery"
HISTORY = f"{API}/tasks/history"


async def launch(http: httpx.AsyncClient, task_type: str = "shop.close", **params: object) -> str:
    """Launch something; return its id."""
    answer = await http.post(f"{API}/tasks/launch/{task_type}", json=params)
    return str(answer.json()["task_id"])


async def test_an_item_says_what_became_of_a_task(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """Neither its params nor its result; every member is there."""
    task_id = await launch(http, "shop.order", item="tea", token="hunter2")
    error = {"exc_type": "ValueError", "exc_message": ["no"], "exc_module": "builtins", "why": "x" * 9000}
    record = {"status": "FAILURE", "result": error, "traceback": "T", "date_done": "2099-11-24T10:00:01+00:00"}
    backend.records[task_id] = httpx.Response(200, json=record).content

    page = (await http.get(HISTORY)).json()

    [item] = page["items"]
    assert {
        "task_id", "task_type", "name", "status", "launched_at", "launched_by", "started_at", "finished_at", "queued_s", "run_s",
        "worker", "error", "retry_of", "root_id", "attempt", "batch_id", "revocation", "status_url",
    } == item.keys()  # fmt: skip
    assert ("FAILURE", {"type": "ValueError", "message": "no"}) == (item["status"], item["error"])
    assert (f"{API}/tasks/{task_id}", None) == (item["status_url"], page["next_cursor"])


async def test_pages_follow_each_other_by_their_cursors(http: httpx.AsyncClient) -> None:
    """The newest first, each task once."""
    ids = [await launch(http) for _ in range(5)]

    pages = []
    cursor = ""
    while cursor is not None:
        pages.append((await http.get(f"{HISTORY}?limit=2{cursor and f'&cursor={cursor}'}")).json())
        cursor = pages[-1]["next_cursor"]

    assert [ids[:2:-1], ids[2:0:-1], ids[:1]] == [[each["task_id"] for each in page["items"]] for page in pages]


async def test_a_batch_and_the_retries_of_a_task_are_found(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """As is what was launched within moments with whatever offset."""
    alone = await launch(http)
    backend.records[alone] = b'{"status": "FAILURE"}'
    batch = (await http.post(f"{API}/tasks/launch/batch", json={"items": [{"task_type": "shop.close"}] * 2})).json()
    retried = (await http.post(f"{API}/tasks/{alone}/retry")).json()["task_id"]
    launched_at = (await http.get(f"{API}/tasks/{alone}")).json()["launched_at"]

    queries = [
        f"batch={batch['batch_id']}",
        f"retry_of={alone}",
        f"until={quote(launched_at)}",
        "since=2020-01-01T00:00:00%2B02:00&status=FAILURE",
        "task_type=gone",
    ]
    pages = [(await http.get(f"{HISTORY}?{query}")).json()["items"] for query in queries]

    of_batch = [each["receipt"]["task_id"] for each in batch["items"]]
    assert [of_batch[::-1], [retried], [], [alone], []] == [[each["task_id"] for each in page] for page in pages]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/query/limit"),
        ("limit=201", "/query/limit"),
        ("since=yesterday", "/query/since"),
        ("until=2026-01-01T00:00:00", "/query/until"),
        ("batch=../../x", "/query/batch"),
        ("retry_of=1", "/query/retry_of"),
        ("status=", "/query/status"),
        ("cursor=%00%ff", None),
        ("cursor=garbage", "/query/cursor"),
        ("cursor=WyJhbGwiLCIxLTEiLCIwMDAiXQ", "/query/cursor"),
        ("color=red", "/query/color"),
    ],
)
async def test_what_cannot_be_asked_is_refused(http: httpx.AsyncClient, query: str, pointer: str | None) -> None:
    """With a pointer to the member; a query that is not UTF-8 is malformed."""
    answer = await http.get(f"{HISTORY}?{query}")

    assert (400 if pointer is None else 422) == answer.status_code
    assert pointer == next((each["pointer"] for each in answer.json().get("errors", [])), None)
