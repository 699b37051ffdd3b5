"""Signals, heard beside whoever hears them already: the server has handlers of its own."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


def on_signals(tell: Callable[[], None], *numbers: signal.Signals) -> None:
    """Call `tell` on the running loop when one of these signals comes, then whoever heard it before.

    Only the main thread of a process hears signals; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for number in numbers:
        before = signal.getsignal(number)

        def hear(number: int, frame: FrameType | None, before: Any = before) -> None:
            loop.call_soon_threadsafe(tell)
            if callable(before):
                before(number, frame)

        signal.signal(number, hear)
