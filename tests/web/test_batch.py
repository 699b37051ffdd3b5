"""Batches: a receipt or a problem for each item, in order; or nothing at all."""

from typing import Any

import httpx
import pytest

from gateway.backends.memory import MemoryBackend
from gateway.errors import BrokerUnavailableError
from gateway.launch.offer import Offer, Outcome

URL = "/api/celery/tasks/launch/batch"
GOOD = {"task_type": "shop.order", "params": {"item": "tea"}}
BAD = {"task_type": "shop.order", "params": {"itm": "tea", "count": 0}}
UNKNOWN = {"task_type": "shop.oder"}


async def test_each_item_has_its_receipt_or_its_problem(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """A bad item hides no other; the good ones are launched."""
    items: list[Any] = [GOOD, BAD, UNKNOWN, "x", GOOD]

    answer = await http.post(URL, json={"items": items})
    outcomes = answer.json()["items"]

    assert 200 == answer.status_code
    assert [["receipt"], ["problem"], ["problem"], ["problem"], ["receipt"]] == [list(each) for each in outcomes]
    assert [outcomes[0]["receipt"]["task_id"], outcomes[4]["receipt"]["task_id"]] == [
        launch.task_id for launch in backend.published
    ]
    assert [("refused_params", 422), ("unknown_task_type", 422), ("refused_params", 422)] == [
        (each["problem"]["code"], each["problem"]["status"]) for each in outcomes[1:4]
    ]
    assert {"/params/itm", "/params/item", "/params/count"} == {
        fault["pointer"] for fault in outcomes[1]["problem"]["errors"]
    }


async def test_all_or_nothing_launches_none_if_any_is_refused(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """One problem with every fault of every item, and pointers into the batch."""
    answer = await http.post(URL, json={"items": [GOOD, BAD, UNKNOWN], "all_or_nothing": True})

    assert 422 == answer.status_code
    assert {
        ("/items/1/params/itm", "additionalProperties"),
        ("/items/1/params/item", "required"),
        ("/items/1/params/count", "minimum"),
        ("/items/2/task_type", "unknown_task_type"),
    } == {(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]}
    assert not backend.published


async def test_all_or_nothing_launches_all_if_none_is_refused(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """In the order of the items."""
    items = [{"task_type": "shop.order", "params": {"item": str(number)}} for number in range(1000)]

    answer = await http.post(URL, json={"items": items[:50], "all_or_nothing": True})

    assert 200 == answer.status_code
    assert [str(number) for number in range(50)] == [launch.params["item"] for launch in backend.published]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        pytest.param([], "", "type", id="no object"),
        pytest.param({}, "/items", "required", id="no items"),
        pytest.param({"items": {}}, "/items", "type", id="items are no array"),
        pytest.param({"items": []}, "/items", "maxItems", id="no item"),
        pytest.param({"items": [1] * 1001}, "/items", "maxItems", id="too many"),
        pytest.param({"items": [GOOD], "all_or_nothing": "yes"}, "/all_or_nothing", "type", id="no boolean"),
        pytest.param({"items": [GOOD], "queue": "x"}, "/queue", "additionalProperties", id="unknown member"),
    ],
)
async def test_what_is_no_batch_is_refused_whole(
    http: httpx.AsyncClient, backend: MemoryBackend, body: Any, pointer: str, code: str
) -> None:
    """Nothing is launched."""
    answer = await http.post(URL, json=body)

    assert 422 == answer.status_code
    assert [(pointer, code)] == [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]
    assert not backend.published


async def test_a_broker_that_fails_one_item_fails_that_item(http: httpx.AsyncClient, backend: MemoryBackend) -> None:
    """The others keep their receipts."""
    publish = backend.publish

    async def fail_second(offers: list[Offer], **_: bool) -> list[Outcome]:
        outcomes = await publish(offers)
        outcomes[1] = BrokerUnavailableError("the broker is out of memory", reason="full")
        return outcomes

    backend.publish = fail_second  # type: ignore[method-assign]
    items = [{"task_type": "shop.order", "params": {"item": item}} for item in "abc"]

    outcomes = (await http.post(URL, json={"items": items})).json()["items"]

    assert [None, ("broker_full", 503), None] == [
        (each["problem"]["code"], each["problem"]["status"]) if "problem" in each else None for each in outcomes
    ]
