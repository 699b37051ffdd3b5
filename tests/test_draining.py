"""The drain: what counts as a wish to stop, and when the server hears it."""

import asyncio
import signal

import pytest

from gateway.draining import Drain
from gateway.web.answers import CLOSE

TERM, INT = signal.SIGTERM, signal.SIGINT


@pytest.mark.parametrize(
    ("drain_s", "wishes", "stops"),
    [
        pytest.param(60, [TERM], [], id="SIGTERM begins"),
        pytest.param(0, [TERM], [TERM], id="nothing to wait for"),
        pytest.param(60, [INT], [INT], id="Ctrl-C does not wait"),
        pytest.param(60, [TERM, INT], [INT], id="Ctrl-C ends it"),
        pytest.param(60, [TERM, TERM], [], id="told by two at once"),
        pytest.param(60, [INT, INT], [INT], id="Ctrl-C told by two at once"),
    ],
)
async def test_who_is_told_to_stop_may_drain_first(
    drain_s: float, wishes: list[signal.Signals], stops: list[signal.Signals]
) -> None:
    """The same signal from a supervisor and from whoever stops all processes is one wish."""
    heard: list[signal.Signals] = []
    limits: list[None] = []
    drain = Drain(drain_s, send_away=lambda: None, set_limit=lambda: limits.append(None))

    for wish in wishes:
        drain.hear(wish, lambda wish=wish: heard.append(wish))  # type: ignore[misc]

    assert stops == heard
    assert bool(stops) == len(limits)
    assert drain.is_begun
    assert (CLOSE,) == drain.headers


async def test_whoever_begins_to_wait_when_the_drain_has_ended_is_sent_away_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A launch that was under way may prefer to wait; the server waits for it."""
    monkeypatch.setattr("gateway.draining.AGAIN_S", 0.001)
    stopped, away = asyncio.Event(), asyncio.Semaphore(0)
    drain = Drain(0.01, send_away=away.release, set_limit=lambda: None)

    drain.hear(TERM, stopped.set)
    await asyncio.wait_for(stopped.wait(), 5)

    for _ in range(4):
        await asyncio.wait_for(away.acquire(), 5)
