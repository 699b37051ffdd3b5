"""The gateway with somebody who watches its event loop (row F21): `python -m tests.watched serve …`.

Whatever keeps the loop to itself for more than 50 ms is written down with its stack, and whoever started the gateway fails
for it. Time for which the thread waits for a processor or for Python's own lock does not count, nor do many short callbacks
in a row.
"""

import asyncio
import gc
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from msgspec import Struct

from gateway.__main__ import main

LIMIT_S = 0.05
LOOK_S = 0.01
FUTEX = "202"
"""Number of the call by which threads wait for each other, on x86-64."""
SIGN = "loop_blocked"


class Usage(Struct, frozen=True):
    """What a thread has done so far. Source: Linux documentation, sched-stats and proc."""

    ran_s: float
    """But for collections."""
    slices: int
    """How often it got a processor."""
    is_asleep: bool
    """In a call of the kernel's that is no wait for Python's own lock."""


class Watch:
    """Looks at the thread of a loop from another one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._beats = 0
        self._thread_id = threading.get_ident()
        self._folder = Path(f"/proc/self/task/{threading.get_native_id()}")
        self._stopped = threading.Event()
        self._collected_s = self._collecting_since = 0.0
        gc.callbacks.append(self._note_collection)
        self._beat()
        threading.Thread(target=self._look_on, name="watch", daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._stopped.set()
        gc.callbacks.remove(self._note_collection)

    def _beat(self) -> None:
        self._beats += 1
        self._loop.call_later(LOOK_S, self._beat)

    def _note_collection(self, phase: str, _: object) -> None:
        """Leave out what the search for cycles takes: it is nobody's, and comes where it likes."""
        if threading.get_ident() == self._thread_id:
            if phase == "stop":
                self._collected_s += time.thread_time() - self._collecting_since
            self._collecting_since = time.thread_time()

    def _look_on(self) -> None:
        beats, callback, held_s, told = 0, None, 0.0, False
        at, usage = time.monotonic(), self._read_usage()
        while not self._stopped.wait(LOOK_S):
            frame = sys._current_frames().get(self._thread_id)
            now, now_usage, found = time.monotonic(), self._read_usage(), find_callback(frame)
            if self._beats == beats and found is not None and found is callback and not is_starting_thread(frame):
                held_s += _measure(usage, now_usage, now - at)
            else:
                held_s, told = 0.0, False
            if held_s > LIMIT_S and not told and frame is not None:
                told = True
                sys.stderr.write(f"{SIGN} for {held_s:.3f} s:\n{''.join(traceback.format_stack(frame))}\n")
            beats, callback, at, usage = self._beats, found, now, now_usage

    def _read_usage(self) -> Usage:
        ran_ns, _, slices = (self._folder / "schedstat").read_text().split()
        call, *arguments = (self._folder / "syscall").read_text().split()
        is_waiting_for_python = call == FUTEX and int(arguments[3], 16) != 0
        return Usage(
            int(ran_ns) / 1e9 - self._collected_s, int(slices), call != "running" and not is_waiting_for_python
        )


def _measure(before: Usage, after: Usage, looked_s: float) -> float:
    """Measure how long a callback kept the thread: running, or in one and the same sleep.

    To wait for Python's own lock is no sleep of the callback's; it is told by its timeout from a wait for another thread. A
    look that came late itself, as after SIGSTOP, counts as one that came in time.
    """
    if after.is_asleep and before.is_asleep and before.slices == after.slices:
        return min(looked_s, 2 * LOOK_S)
    return after.ran_s - before.ran_s


def find_callback(frame: FrameType | None) -> FrameType | None:
    """Return the frame of what the loop is calling; None while it waits."""
    called = None
    while frame is not None:
        if frame.f_code.co_filename.endswith("asyncio/runners.py"):
            return called
        called, frame = frame, frame.f_back
    return None


def is_starting_thread(frame: FrameType | None) -> bool:
    """Tell whether all that is waited for is a processor for a new thread."""
    while frame is not None:
        if frame.f_code is threading.Thread.start.__code__:
            return True
        frame = frame.f_back
    return False


_main_loop = uvicorn.Server.main_loop


async def _watched_main_loop(self: Any) -> None:
    Watch(asyncio.get_running_loop())
    await _main_loop(self)


if __name__ in {"__main__", "__mp_main__"}:  # also in the processes that it spawns
    uvicorn.Server.main_loop = _watched_main_loop  # type: ignore[method-assign] # to be in every loop that serves

if __name__ == "__main__":
    main()
