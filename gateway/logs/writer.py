"""The one way by which lines leave a process: a thread of their own, so that a slow reader holds up nobody who serves.

What comes in: lines, from any thread. What goes out: the same, in their order. What a reader does not take in time is
dropped, counted, and said once there is room again.
"""

import atexit
import os
import threading
from collections.abc import Callable
from typing import Final

MAX_HELD_BYTES: Final = 4_194_304
"""So much waits for a reader that is slow; a pipe holds 64 KiB besides."""
LAST_S: Final = 1.0
"""So long the end of the process waits for the last lines to be taken."""


class LineWriter:
    """Writes lines to a file descriptor; it looks like a text stream to those that need one."""

    def __init__(
        self, descriptor: int, *, write_loss: Callable[[int], bytes], max_held_bytes: int = MAX_HELD_BYTES
    ) -> None:
        """`write_loss` writes the line that says how many are missing, as all others are written."""
        self.dropped = 0
        """Lines that nobody will read, since the process began."""
        self._write_loss = write_loss
        self._descriptor = descriptor
        self._max_held_bytes = max_held_bytes
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._unsaid = 0
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._is_empty = threading.Event()
        self._is_empty.set()
        threading.Thread(target=self._run, name="log", daemon=True).start()
        atexit.register(self.close)

    def write(self, text: str) -> None:
        """Take lines as text."""
        self.put(text.encode("utf-8", "replace"))

    def flush(self) -> None:
        """Wait for nothing: whatever was written is on its way."""

    def put(self, lines: bytes) -> None:
        """Take whole lines, or drop them where too much waits already."""
        with self._lock:
            if self._held_bytes + len(lines) > self._max_held_bytes:
                self.dropped += (count := lines.count(b"\n"))
                self._unsaid += count
                return
            self._held.append(lines)
            self._held_bytes += len(lines)
            self._is_empty.clear()
        self._news.set()

    def close(self) -> None:
        """Wait a while for the reader to take the rest."""
        self._is_empty.wait(LAST_S)

    def _run(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            while lines := self._take():
                self._write(lines)
            self._is_empty.set()

    def _take(self) -> bytes:
        with self._lock:
            held, unsaid = self._held, self._unsaid
            self._held, self._held_bytes, self._unsaid = [], 0, 0
        if unsaid:
            held.append(self._write_loss(unsaid))
        return b"".join(held)

    def _write(self, lines: bytes) -> None:
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:  # nobody reads any more, and there is no other place to say so
            self.dropped += bytes(rest).count(b"\n")
