"""Signals, heard before whoever hears them already: the server has handlers of its own."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

Hear = Callable[[int, Callable[[], None]], None]
"""Takes the number of a signal, and what passes it on to whoever heard it before."""


def on_signals(hear: Hear, *numbers: signal.Signals) -> None:
    """Call `hear` on the running loop when one of these signals comes; it passes the signal on, or does not.

    Only the main thread of a process hears signals; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for number in numbers:
        before = signal.getsignal(number)

        def catch(number: int, frame: FrameType | None, before: Any = before) -> None:
            def pass_on() -> None:
                if callable(before):
                    before(number, frame)

            loop.call_soon_threadsafe(hear, number, pass_on)

        signal.signal(number, catch)
