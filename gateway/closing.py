"""The end of a process that was told to stop: it comes in time, whatever hangs.

What comes in: what runs and what is open. What goes out: nothing of it, or a line that says what was left behind. Whoever stops
a process would else have to kill it, and could not tell that from a crash.
"""

import asyncio
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final

import structlog

CLOSE_S: Final = 3
"""So much of the grace is kept for what comes behind the last request."""
LET_GO_S: Final = 1.5
"""So much of that for connections: a Redis that is frozen does not even take a goodbye."""
LAST_WORDS_S: Final = 0.5
"""So much earlier than it ends a process that hangs says where, so that somebody reads it."""
ABANDONED: Final = 1
"""The exit code of a process that left something behind."""
_log = structlog.get_logger("gateway.closing")


async def let_go(tasks: Sequence[asyncio.Task[Any]], closing: AsyncExitStack) -> None:
    """Cancel what runs and close what it used; what takes too long ends with the process."""
    for task in tasks:
        task.cancel()
    try:
        async with asyncio.timeout(LET_GO_S):
            await asyncio.gather(*tasks, return_exceptions=True)
            await closing.aclose()
    except TimeoutError:
        _log.warning("closing_late", within_s=LET_GO_S)


def end_within(limit_s: float) -> None:
    """End the process once the time is over, unless it has ended by then; say shortly before where it hangs.

    A driver whose call never returns holds its thread, and Python waits for every thread.
    """
    thread_id = threading.get_ident()

    def complain() -> None:
        frames = sys._current_frames()  # noqa: SLF001 - no other name is given to it
        stack = traceback.format_stack(frames.get(thread_id))
        waited_for = sorted(each.name for each in threading.enumerate() if not each.daemon)
        _log.error("closing_abandoned", threads=waited_for, stack="".join(stack[-3:]))

    # Two threads: even who complains may hang, as at a lock of the log.
    _start_timer(max(0.0, limit_s - LAST_WORDS_S), complain)
    _start_timer(limit_s, partial(os._exit, ABANDONED))


def _start_timer(delay_s: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(delay_s, call)
    timer.daemon = True
    timer.start()
