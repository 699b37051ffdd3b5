"""Writes to a terminal that may go away, or be a pipe that nobody reads any more.

What comes in: text. What goes out: the same text, or nothing once the other end has gone. It must never raise for that.
"""

import os
import select


class Terminal:
    """One output, by file descriptor: Python's own streams would fail once more when they are closed."""

    def __init__(self, fd: int) -> None:
        self._fd: int | None = fd

    def has_gone(self) -> bool:
        """Tell whether nobody can read any more; a file never goes."""
        if self._fd is None:
            return True
        poll = select.poll()
        poll.register(self._fd, 0)  # hang-ups and errors are always told
        return bool(poll.poll(0))

    def say(self, text: str) -> None:
        """Write one line."""
        self.write(text.encode() + b"\n")

    def write(self, data: bytes) -> None:
        """Write all of `data`, unless the terminal has gone."""
        while data and self._fd is not None:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                select.select([], [self._fd], [], 1)
            except OSError:  # EIO after a hang-up, EPIPE from a pipe
                self._fd = None
