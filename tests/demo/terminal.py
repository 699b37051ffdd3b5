"""A `gateway dev` on a terminal of its own, and the search for what it might leave."""

import contextlib
import os
import pty
import select
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil


class Demo:
    """One `gateway dev` under way on a terminal of its own."""

    def __init__(self, folder: Path, command: Sequence[str], **environment: str) -> None:
        self.marker, self.folder = str(uuid.uuid4()), folder
        self.master, slave = pty.openpty()
        self.popen = subprocess.Popen(
            ["setsid", "--ctty", *command],
            env={**build_environment(), "DEV_TEST": self.marker, "TMPDIR": str(folder), **environment},
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        self.output = ""
        self._is_closing = threading.Event()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while not self._is_closing.is_set():
                if select.select([self.master], [], [], 0.05)[0]:
                    self.output += os.read(self.master, 65536).decode().replace("\r\n", "\n")

    def close(self) -> None:
        """Hang up: a terminal that is still read would not go away."""
        self._is_closing.set()
        self._reading.join(5)
        with contextlib.suppress(OSError):
            os.close(self.master)

    def wait_for(self, text: str) -> None:
        """Wait until the demo has printed `text`."""
        wait_until(lambda: text in self.output or self.popen.poll() is not None, timeout_s=30)
        assert text in self.output, self.output

    def wait_for_end(self) -> int:
        """Wait for the demo to end by itself; answer its exit code."""
        code = self.popen.wait(30)
        self._reading.join(5)
        return code

    def find_processes(self) -> list[psutil.Process]:
        """Find what is left of this demo."""
        return find_processes(self.marker, self.folder)


def find_processes(marker: str, folder: Path) -> list[psutil.Process]:
    """Find every process that inherited `marker`, wherever it hangs now; Valkey hides it and is known by its folder."""

    def is_ours(process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE:
                return process.environ().get("DEV_TEST") == marker or Path(process.cwd()).is_relative_to(folder)
        return False

    return [process for process in psutil.process_iter() if is_ours(process)]


def build_environment() -> dict[str, str]:
    """Answer this process's environment without the settings of a gateway."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}


def wait_until(is_true: Callable[[], bool], *, timeout_s: float) -> float:
    """Wait for a condition; answer how long it took, or the limit."""
    start = time.monotonic()
    while not is_true() and time.monotonic() - start < timeout_s:
        time.sleep(0.02)
    return time.monotonic() - start
