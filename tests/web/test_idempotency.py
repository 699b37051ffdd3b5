"""The Idempotency-Key header over HTTP."""

from typing import Any

import httpx
import pytest

from gateway.backends.memory import MemoryBackend

API = "/api/celery"
KEY = {"Idempotency-Key": "order-7"}


def body(**params: Any) -> dict[str, Any]:
    """A launch by name."""
    return {"task_type": "shop.order", "params": params}


async def test_a_repeated_launch_is_the_same_fact(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """The first receipt comes again, to the letter, and says so."""
    first = await http.post(f"{API}/tasks/launch", json=body(item="tea"), headers=KEY)
    second = await http.post(f"{API}/tasks/launch", json=body(item="tea", count=1), headers=KEY)

    assert (200, 200) == (first.status_code, second.status_code)
    assert first.json() == second.json()
    assert (None, "true") == (first.headers.get("idempotency-replayed"), second.headers.get("idempotency-replayed"))
    assert 1 == len(backend.published)


async def test_another_request_under_the_key_is_refused(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """422, and nothing is launched."""
    await http.post(f"{API}/tasks/launch", json=body(item="tea"), headers=KEY)

    other = await http.post(f"{API}/tasks/launch", json=body(item="coffee"), headers=KEY)

    assert (422, "idempotency_key_reused") == (other.status_code, other.json()["code"])
    assert 1 == len(backend.published)


async def test_a_refused_launch_does_not_take_the_key(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """Mend the body, keep the key."""
    refused = await http.post(f"{API}/tasks/launch", json=body(item=""), headers=KEY)
    mended = await http.post(f"{API}/tasks/launch", json=body(item="tea"), headers=KEY)

    assert (422, 200) == (refused.status_code, mended.status_code)
    assert 1 == len(backend.published)


async def test_both_routes_share_the_key(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """The same request by path and by name is one; a dry run claims nothing."""
    await http.post(f"{API}/tasks/launch/shop.order?dry_run=true", json={"item": "milk"}, headers=KEY)
    by_path = await http.post(f"{API}/tasks/launch/shop.order", json={"item": "tea"}, headers=KEY)
    by_name = await http.post(f"{API}/tasks/launch", json=body(item="tea"), headers=KEY)

    assert (202, 200) == (by_path.status_code, by_name.status_code)
    assert by_path.json() == by_name.json()
    assert by_path.headers["location"] == by_name.json()["status_url"]
    assert 1 == len(backend.published)


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
async def test_a_malformed_key_is_a_malformed_request(
    http: httpx.AsyncClient, backend: MemoryBackend, key: str
) -> None:
    """400, before anything else is looked at."""
    answer = await http.post(f"{API}/tasks/launch", json=body(item="tea"), headers={"Idempotency-Key": key})

    assert (400, "malformed_body") == (answer.status_code, answer.json()["code"])
    assert not backend.published
