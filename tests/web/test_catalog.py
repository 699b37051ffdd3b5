"""The catalog, stats, health, OpenAPI and docs over HTTP."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec

from gateway.backends.memory import MemoryBackend
from gateway.config.editor_schema import write_editor_schema
from gateway.errors import LedgerUnavailableError
from gateway.ports import WorkersView, WorkerView
from gateway.web.app import build_app
from tests.web.conftest import make_site

API = "/api/celery"


async def test_the_catalog_shows_each_task_type_as_callers_need_it(http: httpx.AsyncClient) -> None:
    """In the order of the file, with its JSON Schema."""
    order, close = (await http.get(f"{API}/tasks")).json()

    assert ("shop.order", "shop.order", "Order", "Order something.") == (
        order["task_type"], order["name"], order["title"], order["description"],
    )  # fmt: skip
    assert ("shop", ["shop"], False, [{"item": "tea", "count": 2}]) == (
        order["queue"], order["tags"], order["deprecated"], order["examples"],
    )  # fmt: skip
    assert f"{API}/tasks/launch/shop.order" == order["launch_url"]
    assert ("object", ["item"], False) == (
        order["parameters"]["type"],
        order["parameters"]["required"],
        order["parameters"]["additionalProperties"],
    )
    assert order["parameters"]["properties"]["token"]["writeOnly"]
    assert close["deprecated"]


async def test_the_catalog_can_be_filtered_and_cached(http: httpx.AsyncClient) -> None:
    """An ETag that still holds answers 304."""
    tagged = await http.get(f"{API}/tasks?tag=shop")
    again = await http.get(f"{API}/tasks?tag=shop", headers={"If-None-Match": tagged.headers["etag"]})

    assert ["shop.order"] == [entry["task_type"] for entry in tagged.json()]
    assert (304, b"") == (again.status_code, again.content)
    assert [] == (await http.get(f"{API}/tasks?tag=none")).json()


async def test_availability_follows_the_workers(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """Unknown while nobody could be asked, then told from what they register."""
    unknown = (await http.get(f"{API}/tasks")).json()
    backend.workers_view = WorkersView(
        workers={"celery@a": WorkerView(registered=("shop.order",), queues=("shop",))},
        queues={"shop": 4},
        as_of=datetime.now(UTC),
    )
    known = (await http.get(f"{API}/tasks")).json()

    assert ["unknown", "unknown"] == [entry["availability"] for entry in unknown]
    assert [("available", None), ("no_worker", "no live worker registers shop.close")] == [
        (entry["availability"], entry["availability_reason"]) for entry in known
    ]


async def test_stats_are_told_from_memory(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """Workers, queues, totals and the age of it; a worker that is gone is told of, and not counted."""
    now = datetime.now(UTC)
    backend.workers_view = WorkersView(
        workers={
            "celery@a": WorkerView(active=({"task_id": "x"},), queues=("shop",), concurrency=2),
            "celery@b": WorkerView(online=False, queues=("shop",), heard_at=now - timedelta(seconds=60)),
        },
        queues={"shop": 4, "idle": 1},
        oldest={"shop": now - timedelta(seconds=30)},
        totals={"shop.order": {"launched": 9, "SUCCESS": 8}},
        as_of=now,
    )

    stats = (await http.get(f"{API}/stats")).json()

    assert {"waiting": 1, "consumers": 0, "oldest_age_s": None} == stats["queues"]["idle"]
    assert (4, 1) == (stats["queues"]["shop"]["waiting"], stats["queues"]["shop"]["consumers"])
    assert 30 <= stats["queues"]["shop"]["oldest_age_s"] < 35
    assert {"shop.order": {"launched": 9, "SUCCESS": 8}} == stats["task_types"]
    assert {"workers": 1, "active": 1, "reserved": 0, "scheduled": 0, "waiting": 5} == stats["totals"]
    assert 0 <= stats["age_s"] < 5
    assert not stats["stale"]
    assert 2 == stats["workers"]["celery@a"]["concurrency"]
    assert 60 <= stats["workers"]["celery@b"]["heartbeat_age_s"] < 65
    assert not stats["workers"]["celery@b"]["online"]


async def test_readiness_names_the_part_that_is_away(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """Liveness depends on nothing."""
    ready = await http.get("/health/ready")

    async def fail() -> None:
        raise LedgerUnavailableError("the ledger cannot be reached")

    backend.check = fail  # type: ignore[method-assign]
    transport = httpx.ASGITransport(build_app(make_site(backend)))  # one that has not looked yet
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as other:
        away = await other.get("/health/ready")
        live = await other.get("/health/live")

    assert (200, "ready", {"memory", "results", "config"}) == (
        ready.status_code, ready.json()["status"], set(ready.json()["parts"]),
    )  # fmt: skip
    assert 503 == away.status_code
    assert (False, "the ledger cannot be reached") == (
        away.json()["parts"]["memory"]["is_ready"], away.json()["parts"]["memory"]["error"],
    )  # fmt: skip
    assert 200 == live.status_code


async def test_startup_ends_once_and_for_good(backend: MemoryBackend) -> None:
    """When each part has been looked at, whatever it said; until then it has not begun."""
    thawed = asyncio.Event()

    async def freeze() -> None:
        await thawed.wait()
        raise LedgerUnavailableError("the ledger cannot be reached")

    backend.check = freeze  # type: ignore[method-assign]
    transport = httpx.ASGITransport(build_app(make_site(backend)))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        frozen = await http.get("/health/startup")
        thawed.set()
        begun = await http.get("/health/startup")

    assert (503, "starting") == (frozen.status_code, frozen.json()["status"])
    assert (200, "started") == (begun.status_code, begun.json()["status"])


async def test_openapi_describes_each_task_type(http: httpx.AsyncClient) -> None:
    """A typed operation with schema, examples, options and problems."""
    document = (await http.get("/openapi.json")).json()
    operation = document["paths"][f"{API}/tasks/launch/shop.order"]["post"]
    media = operation["requestBody"]["content"]["application/json"]

    assert "3.1.0" == document["openapi"]
    assert {"$ref": "#/components/schemas/shop.order.params"} == media["schema"]
    assert {"example 1": {"value": {"item": "tea", "count": 2}}} == media["examples"]
    assert {"dry_run", "countdown_s", "eta", "priority", "Idempotency-Key", "Prefer"} == {
        each["name"] for each in operation["parameters"]
    }
    assert {"200", "202", "400", "409", "413", "415", "422", "429", "500", "503"} == operation["responses"].keys()
    assert document["paths"][f"{API}/tasks/launch/shop.close"]["post"]["deprecated"]


async def test_openapi_has_no_dangling_reference(http: httpx.AsyncClient) -> None:
    """Every $ref leads to a component."""
    text = (await http.get("/openapi.json")).text
    components = (await http.get("/openapi.json")).json()["components"]["schemas"]

    references = set(re.findall(r'"\$ref":"([^"]*)"', text))
    assert references
    assert set() == {each for each in references if each.removeprefix("#/components/schemas/") not in components}


async def test_openapi_and_the_routes_are_the_same_set(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """No route is undeclared, none is promised in vain; docs and assets aside."""
    declared = {
        (path, method.upper())
        for path, item in (await http.get("/openapi.json")).json()["paths"].items()
        for method in item
    }
    app = build_app(make_site(backend))
    door: Any = app.behind
    served = {(path, "POST") for path in app.routes} | {(path, "GET") for path in door.paths}
    served |= {
        (re.sub(r":str\}", "}", route.path), method)
        for route in door.behind.routes
        for method in route.methods
        if method != "OPTIONS" and not route.path.startswith(("/docs", "/openapi.json"))
    }

    assert declared == served


async def test_the_docs_page_needs_no_other_host(http: httpx.AsyncClient) -> None:
    """Every asset comes from here, and the policy forbids the rest."""
    page = await http.get("/docs")
    assets = re.findall(r'(?:src|href)="([^"]*)"', page.text)

    assert 4 == len(assets)
    for asset in assets:
        answer = await http.get(f"/{asset}")
        assert (200, True) == (answer.status_code, len(answer.content) > 100), asset
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http" not in page.text.replace("http-equiv", "")


async def test_editors_find_the_schema_of_the_file_here(http: httpx.AsyncClient) -> None:
    """The same that `gateway schema` prints."""
    answer = await http.get("/schema/tasks.json")

    assert "application/schema+json" == answer.headers["content-type"]
    assert json.loads(msgspec.json.encode(write_editor_schema())) == answer.json()
