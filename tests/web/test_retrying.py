"""Retries over HTTP: one for each task, with params that fit today's catalog."""

import asyncio

import httpx
import pytest

from gateway.backends.memory import MemoryBackend
from gateway.web.app import build_app
from tests.web.conftest import TASKS, make_site

API = "/api/celery"
FAILED = b'{"status": "FAILURE", "result": {"exc_type": "E", "exc_message": ["no"]}}'


async def launch_and_fail(http: httpx.AsyncClient, backend: MemoryBackend, **params: object) -> str:
    """Launch a task that fails; return its id."""
    answer = await http.post(f"{API}/tasks/launch/shop.order", json={"item": "tea"} | params)
    task_id = str(answer.json()["task_id"])
    backend.records[task_id] = FAILED
    return task_id


def serve(backend: MemoryBackend, tasks: str) -> httpx.AsyncClient:
    """Serve another tasks.yaml over the same ledger, as after a reload."""
    transport = httpx.ASGITransport(build_app(make_site(backend, tasks)), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


async def test_a_double_click_makes_one_retry(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """Both are answered with the same receipt."""
    task_id = await launch_and_fail(http, backend)

    answers = await asyncio.gather(*(http.post(f"{API}/tasks/{task_id}/retry") for _ in range(5)))

    assert {200} == {answer.status_code for answer in answers}
    assert 1 == len({answer.json()["task_id"] for answer in answers})
    assert 4 == sum(answer.headers.get("idempotency-replayed") == "true" for answer in answers)
    assert 2 == len(backend.published)


async def test_other_params_need_force(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """409 names the first retry; a forced one is what is answered from then on."""
    task_id = await launch_and_fail(http, backend)
    url = f"{API}/tasks/{task_id}/retry"

    first = (await http.post(url)).json()["task_id"]
    refused = await http.post(url, json={"params": {"count": 3}})
    forced = await http.post(url, json={"params": {"count": 3}, "force": True})
    again = await http.post(url, json={"params": {"count": 3}})

    assert (409, "already_retried", first) == tuple(refused.json()[name] for name in ("status", "code", "task_id"))
    assert "`force` retries it again" in refused.json()["detail"]
    assert (200, 3) == (forced.status_code, backend.published[-1].params["count"])
    assert (forced.json(), "true") == (again.json(), again.headers["idempotency-replayed"])
    assert 3 == len(backend.published)


async def test_a_caller_may_name_the_retry_with_a_key_of_its_own(
    http: httpx.AsyncClient, backend: MemoryBackend
) -> None:
    """Also a forced one; under another key, or for another task, it is what it is without."""
    ids = [await launch_and_fail(http, backend) for _ in range(2)]
    urls = [f"{API}/tasks/{each}/retry" for each in ids]
    key = {"Idempotency-Key": "k"}

    forced = [await http.post(urls[0], json={"force": True}, headers=key) for _ in range(2)]
    reused = await http.post(urls[1], headers=key)
    other = await http.post(urls[0], headers={"Idempotency-Key": "l"})

    assert forced[0].json() == forced[1].json() == other.json()
    assert [None, "true"] == [answer.headers.get("idempotency-replayed") for answer in forced]
    assert (422, "idempotency_key_reused") == (reused.status_code, reused.json()["code"])
    assert 3 == len(backend.published)


async def test_a_refused_retry_claims_nothing(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """The next one is the first."""
    task_id = await launch_and_fail(http, backend)
    url = f"{API}/tasks/{task_id}/retry"

    refused = await http.post(url, json={"params": {"count": 99}})
    retried = await http.post(url)

    assert (422, "refused_params", "/params/count") == (
        refused.status_code,
        refused.json()["code"],
        refused.json()["errors"][0]["pointer"],
    )
    assert (200, None) == (retried.status_code, retried.headers.get("idempotency-replayed"))


async def test_secrets_must_be_given_again(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """The problem says which."""
    task_id = await launch_and_fail(http, backend, token="hunter2")
    url = f"{API}/tasks/{task_id}/retry"

    refused = await http.post(url)
    retried = await http.post(url, json={"params": {"token": "hunter3"}})

    assert [("/params/token", "secret")] == [(each["pointer"], each["code"]) for each in refused.json()["errors"]]
    assert (200, "hunter3") == (retried.status_code, backend.published[-1].params["token"])


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        (("maxLength: 20", "maxLength: 2"), [("/params/item", "maxLength")]),
        (("count:", "amount:"), [("/params/count", "additionalProperties")]),
        (
            ("token: {type: string, secret: true, required: false}", "shop: {type: string}"),
            [("/params/shop", "required")],
        ),
    ],
)
async def test_recorded_params_that_no_longer_fit_are_told_as_such(
    http: httpx.AsyncClient, backend: MemoryBackend, change: tuple[str, str], errors: list[tuple[str, str]]
) -> None:
    """With every fault, and the catalogs of then and now; what is set anew mends it where it can."""
    task_id = await launch_and_fail(http, backend, count=2)
    async with serve(backend, TASKS.replace(*change).replace("[{item: tea, count: 2}]", "[]")) as today:
        refused = await today.post(f"{API}/tasks/{task_id}/retry")
        mine = await today.post(f"{API}/tasks/{task_id}/retry", json={"params": {"item": "", "shop": "a"}})

    problem = refused.json()
    assert (422, "params_no_longer_fit") == (refused.status_code, problem["code"])
    assert "no longer fit the task type as it is declared today" in problem["detail"]
    assert errors == [(each["pointer"], each["code"]) for each in problem["errors"]]
    assert problem["digest_then"] != problem["digest_now"]
    assert 422 == mine.status_code
    assert 1 == len(backend.published)


async def test_what_is_set_anew_is_blamed_on_whoever_set_it(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """Though the catalog has changed."""
    task_id = await launch_and_fail(http, backend)
    async with serve(backend, TASKS.replace("maximum: 9", "maximum: 8")) as today:
        refused = await today.post(f"{API}/tasks/{task_id}/retry", json={"params": {"count": 9}})
        retried = await today.post(f"{API}/tasks/{task_id}/retry", json={"params": {"count": 8}})

    assert (422, "refused_params") == (refused.status_code, refused.json()["code"])
    assert 200 == retried.status_code


async def test_a_task_type_that_is_gone_is_told_in_its_own_words(
    http: httpx.AsyncClient, backend: MemoryBackend
) -> None:
    """With the near miss."""
    task_id = await launch_and_fail(http, backend)
    async with serve(backend, TASKS.replace("shop.order:", "shop.orders:")) as today:
        refused = await today.post(f"{API}/tasks/{task_id}/retry")

    assert (409, "task_type_gone", ["shop.orders"]) == tuple(
        refused.json()[name] for name in ("status", "code", "near")
    )
    assert (
        "the task type 'shop.order' of this task is no longer in the catalog; 'shop.orders' is"
        == refused.json()["detail"]
    )


async def test_the_root_shows_the_chain(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """Retries of retries, in the order of their launches."""
    ids = [await launch_and_fail(http, backend)]
    for _ in range(2):
        ids.append(str((await http.post(f"{API}/tasks/{ids[-1]}/retry")).json()["task_id"]))
        backend.records[ids[-1]] = FAILED

    root = (await http.get(f"{API}/tasks/{ids[0]}")).json()
    last = (await http.get(f"{API}/tasks/{ids[2]}")).json()

    assert [(ids[1], 2, ids[0], "FAILURE"), (ids[2], 3, ids[1], "FAILURE")] == [
        (each["task_id"], each["attempt"], each["retry_of"], each["status"]) for each in root["chain"]
    ]
    assert (ids[1], ids[0], 3, []) == (last["retry_of"], last["root_id"], last["attempt"], last["chain"])
