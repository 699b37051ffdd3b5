"""Reading a file without ever waiting for it: what is no plain file is none at all."""

import os
import stat
from pathlib import Path


class NotPlainFileError(OSError):
    """Raised for a folder, a pipe, a device."""


def read_plain_file(path: Path, *, max_bytes: int) -> tuple[bytes, int]:
    """Return the content of a file, cut to one byte more than is wanted, and its mode.

    Raises: OSError; NotPlainFileError.
    """
    # Opened without waiting: a FIFO with no writer would block for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise NotPlainFileError
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(max_bytes + 1), mode
    finally:
        os.close(descriptor)
