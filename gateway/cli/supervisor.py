"""The supervisor of `--workers N`: uvicorn's, which passes each signal on as what it is."""

import os
import signal
import socket
from collections.abc import Iterator
from types import FrameType

import uvicorn
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process


class Supervisor(Multiprocess):
    """Starts processes anew that die; each of them drains, and reads the file again, by itself."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        """Hear the signals from now on; nothing is started yet."""
        super().__init__(config, sockets)
        self._told: set[Process] = set()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)

    def handle_hup(self) -> None:
        """Pass the signal on to those that hear it; one that is still starting reads the file anyway."""
        for process in self._find_alive():
            if process.is_ready(timeout=1):
                _send(process, signal.SIGHUP)

    def terminate_all(self) -> None:
        """End those that have not heard it yet; a second time would end their drain."""
        for process in self.processes:
            if process not in self._told:
                process.terminate()
        for each in self.sockets:
            each.close()  # else clients would be let in, and heard by nobody, once the last process has closed its own

    def _hear(self, number: int, _: FrameType | None) -> None:
        """Tell every process at once: uvicorn looks at signals twice a second, and not while it waits for the ends."""
        self.signal_queue.append(number)
        for process in self._find_alive():
            self._told.add(process)
            _send(process, number)

    def _find_alive(self) -> Iterator[Process]:
        return (process for process in list(self.processes) if process.pid and process.process.is_alive())


def _send(process: Process, number: int) -> None:
    if process.pid is not None:
        os.kill(process.pid, number)
