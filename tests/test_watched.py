"""The watch over the event loop sees what blocks it, and nothing else."""

import asyncio
import threading
import time

import pytest
import uvloop

from tests.watched import SIGN, Watch


def spin(seconds: float) -> None:
    """Keep a processor busy."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def wait_for_thread(seconds: float) -> None:
    """Wait for what another thread does later."""
    done = threading.Event()
    threading.Timer(seconds, done.set).start()
    done.wait()


def watch(call: object, *, times: int = 1) -> None:
    """Call something in a watched loop, each time in a callback of its own."""

    async def run() -> None:
        watched = Watch(asyncio.get_running_loop())
        for _ in range(times):
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_soon(call)  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        watched.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: time.sleep(0.15), id="asleep"),
        pytest.param(lambda: spin(0.15), id="busy"),
        pytest.param(lambda: wait_for_thread(0.15), id="waiting for a thread"),
    ],
)
def test_what_keeps_the_loop_is_seen(call: object, capfd: pytest.CaptureFixture[str]) -> None:
    """With the place where it stands."""
    watch(call)

    written = capfd.readouterr().err
    assert 1 == written.count(SIGN)
    assert "test_watched.py" in written


def test_short_callbacks_and_rest_are_not(capfd: pytest.CaptureFixture[str]) -> None:
    """However many there are."""
    watch(lambda: spin(0.01), times=20)

    assert "" == capfd.readouterr().err
