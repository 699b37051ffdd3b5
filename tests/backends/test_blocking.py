"""Blocking calls off the event loop: what is late is told from what never began."""

import asyncio
import threading
import time

import pytest

from gateway.backends.kombu.broker_calls import make_broker_calls
from gateway.errors import BackendError, BrokerUnavailableError, UncertainPublishError

LATE = UncertainPublishError("id")


async def test_a_call_under_way_is_late_and_one_behind_it_never_begins() -> None:
    """The first may still take effect; the second is called off, and that is certain."""
    calls = make_broker_calls(size=1, backlog=9, deadline_s=0.2, name="test")
    freed, begun = threading.Event(), []

    def block(name: str) -> None:
        begun.append(name)
        freed.wait(5)

    outcomes = await asyncio.gather(
        *(calls.run(lambda name=name: block(name), when_late=LATE) for name in ("first", "second")),  # type: ignore[misc]
        return_exceptions=True,
    )
    freed.set()
    value = await calls.run(lambda: 7, when_late=LATE)
    calls.close()

    assert [UncertainPublishError, BrokerUnavailableError] == [type(outcome) for outcome in outcomes]
    assert (["first"], 7) == (begun, value)


async def test_more_calls_than_the_backlog_are_refused_at_once() -> None:
    """Load is shed before threads or memory grow, and taken again once there is room."""
    calls = make_broker_calls(size=1, backlog=2, deadline_s=2, name="test")
    freed = threading.Event()
    waiting = [asyncio.create_task(calls.run(lambda: freed.wait(5), when_late=LATE)) for _ in range(2)]
    await asyncio.sleep(0)

    began = time.monotonic()
    with pytest.raises(BrokerUnavailableError, match="too slow"):
        await calls.run(lambda: True, when_late=LATE)
    waited_s = time.monotonic() - began
    freed.set()
    answers = await asyncio.gather(*waiting)
    again = await calls.run(lambda: True, when_late=LATE)
    calls.close()

    assert waited_s < 0.05
    assert [True, True, True] == [*answers, again]


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (ConnectionRefusedError(), BrokerUnavailableError, "the broker cannot be reached"),
        (TimeoutError("timed out"), BrokerUnavailableError, "the broker does not answer in time"),
        (RuntimeError("hunter2"), BrokerUnavailableError, r"the broker cannot be used \(RuntimeError\)"),
        (LATE, UncertainPublishError, "may or may not run"),
    ],
)
async def test_what_a_call_raises_is_told_in_our_words(
    error: Exception, kind: type[BackendError], sentence: str
) -> None:
    """Without the text of the cause, which may quote anything."""
    calls = make_broker_calls(size=1, backlog=2, deadline_s=2, name="test")

    def fail() -> None:
        raise error

    with pytest.raises(kind, match=sentence) as caught:
        await calls.run(fail, when_late=LATE)
    calls.close()

    assert "hunter2" not in str(caught.value)
