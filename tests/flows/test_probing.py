"""What readiness is told from: each part looked at for itself, whatever the others do."""

import asyncio
import time
from contextlib import suppress

import pytest

from gateway.errors import BrokerUnavailableError
from gateway.flows.probing import FIRST_S, PROBE_S, Prober
from gateway.flows.services import read_clock
from gateway.metrics.cells import Cells
from gateway.metrics.meter import Meter


class Part:
    """A part that does as it is told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.warnings: tuple[str, ...] = ()
        self.error: BrokerUnavailableError | None = None
        self.is_frozen = False

    async def check(self) -> None:
        """Answer, fail, or say nothing at all."""
        if self.is_frozen:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error


def make_prober(*parts: Part) -> Prober:
    """Make a prober of parts."""
    return Prober(parts, tally=Meter(Cells()), clock=read_clock)


async def test_whoever_asks_first_is_answered_at_once() -> None:
    """By what is known within a moment: with a frozen part that is nothing yet."""
    sound, frozen = Part("ledger"), Part("broker")
    frozen.is_frozen = True

    began = time.perf_counter()
    soon = await make_prober(sound).read_soon()
    starting = await make_prober(sound, frozen).read_soon()
    waited_s = time.perf_counter() - began

    assert soon is not None
    assert soon["ledger"].is_ready
    assert starting is None
    assert FIRST_S <= waited_s < FIRST_S + 0.1


@pytest.mark.timeout(20)
async def test_a_part_that_freezes_is_told_within_two_seconds_and_its_error_is_kept() -> None:
    """While the others are looked at as before; and it is ready again within two seconds."""
    sound, freezing = Part("ledger"), Part("broker")
    prober = make_prober(sound, freezing)
    running = asyncio.create_task(prober.run())
    await wait_until(prober, "broker", is_ready=True)

    freezing.is_frozen = True
    frozen_s = await wait_until(prober, "broker", is_ready=False)
    others = prober.read()
    freezing.is_frozen = False
    thawed_s = await wait_until(prober, "broker", is_ready=True)
    after = prober.read()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running

    assert max(frozen_s, thawed_s) < 2
    assert others is not None
    assert others["ledger"].is_ready
    assert after is not None
    assert (None, f"no answer within {PROBE_S:g} s") == (after["broker"].error, after["broker"].last_error)
    assert after["broker"].last_error_at is not None


async def wait_until(prober: Prober, name: str, *, is_ready: bool) -> float:
    """Wait for a part to be seen so; return how long that took."""
    began = time.perf_counter()
    while (parts := prober.read()) is None or parts[name].is_ready != is_ready:
        assert time.perf_counter() - began < 5, f"{name} is not seen as {is_ready}"
        await asyncio.sleep(0.01)
    return time.perf_counter() - began
