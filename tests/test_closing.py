"""The end of a process: in time, whatever hangs."""

import asyncio
import subprocess
import sys
import time
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from gateway.closing import ABANDONED, let_go

HANGING = """
import sys, threading, time
from gateway.closing import end_within
from gateway.logs import configure_logs
configure_logs(level="error", style="json")
end_within(0.7)
for hang in sys.argv[1:]:
    threading.Thread(target=time.sleep, args=(60,), name=hang).start()
"""


@pytest.mark.parametrize("threads", [(), ("a driver",)], ids=["nothing hangs", "a thread hangs"])
def test_a_process_ends_in_time(threads: tuple[str, ...]) -> None:
    """By itself, or else with the reason in its log, and the exit code of one that left something behind."""
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", HANGING, *threads], capture_output=True, text=True, check=False)

    assert (ABANDONED if threads else 0) == ended.returncode
    assert bool(threads) == ("closing_abandoned" in ended.stderr) == ("a driver" in ended.stderr)
    assert time.monotonic() - began < 20


async def test_what_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that will not end, and a connection that will not close; the other ones are closed all the same."""
    monkeypatch.setattr("gateway.closing.LET_GO_S", 0.05)
    closed: list[str] = []

    async def hang() -> None:
        await asyncio.sleep(60)

    async with AsyncExitStack() as stack:
        stack.callback(closed.append, "the first")
        stack.push_async_callback(hang)
        with capture_logs() as logs:
            await let_go([asyncio.create_task(hang())], stack.pop_all())

    assert ["the first"] == closed
    assert ["closing_late"] == [each["event"] for each in logs]
