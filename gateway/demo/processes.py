"""Runs a few processes as one: ready together, shown together, gone together.

What comes in: descriptions of processes. What goes out: their output, each line under its name, and one exit code.
It knows nothing of what it runs, and leaves nothing behind: every process hangs on a leash (see `leash.py`).
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from typing import Self
from urllib.parse import urlsplit

from msgspec import Struct

from gateway.demo import leash
from gateway.demo.terminal import Terminal

START_S = 30.0
_GRACE_S = 3.0
_STOP_S = 3.5
_EXIT_S = 4.8
"""A shutdown that somebody waits for never takes longer, whatever its terminal does."""
_TAIL_LINES = 12
_TICK_S = 0.1


class Process(Struct, frozen=True, kw_only=True):
    """One process to run, as data."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = {}
    """Added to the supervisor's own environment."""
    ready_line: str | None = None
    """Text in its output that says it is up."""
    ready_url: str | None = None
    """A page that answers 200 once it is up."""
    plain_codes: tuple[int, ...] = ()
    """Exit codes at start that it has explained itself: its lines are shown as they are, the code is passed on."""


class _Child:
    """One process under way."""

    def __init__(self, process: Process, popen: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.popen = popen
        self.is_ready = process.ready_line is None and process.ready_url is None
        self.tail: deque[bytes] = deque(maxlen=_TAIL_LINES)
        self._rest = b""

    def take(self, chunk: bytes) -> list[bytes]:
        """Cut output into whole lines; an empty chunk is its end."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if not chunk and self._rest:
            lines, self._rest = [self._rest], b""
        if self.process.ready_line:
            self.is_ready |= any(self.process.ready_line.encode() in line for line in lines)
        self.tail.extend(lines)
        return lines

    def prefix(self, line: bytes) -> bytes:
        return f"{self.process.name} | ".encode() + line


class Supervisor:
    """Starts processes in the foreground and stops them all; a context manager."""

    def __init__(self, *, terminal: Terminal, errors: Terminal) -> None:
        self._terminal = terminal
        self._errors = errors
        self._children: list[_Child] = []
        self._held: list[bytes] | None = []
        """Lines shown only once all is ready, so that a failed start is not buried; None from then on."""

    def __enter__(self) -> Self:
        self._selector = selectors.DefaultSelector()
        self._reader, self._writer = os.pipe()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of every leash, relay the last words, and wait; nothing is left after it."""
        os.close(self._writer)
        deadline = time.monotonic() + _STOP_S
        while any(child.popen.poll() is None for child in self._children) and time.monotonic() < deadline:
            self._relay()
        for child in self._children:
            child.popen.kill()
            child.popen.wait()
        os.close(self._reader)
        self._selector.close()

    def start(self, process: Process) -> None:
        """Start one process, without waiting for it."""
        popen = subprocess.Popen(  # noqa: S603 (what the caller described)
            leash.command(process.argv, pipe=self._reader, grace_s=_GRACE_S),
            env={**os.environ, "PYTHONUNBUFFERED": "1", **process.env},
            pass_fds=[self._reader],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        child = _Child(process, popen)
        self._children.append(child)
        self._selector.register(popen.stdout or -1, selectors.EVENT_READ, child)

    def wait_until_ready(self, *, timeout_s: float = START_S) -> int:
        """Answer 0 once every process is ready, else the exit code to end with."""
        deadline = time.monotonic() + timeout_s
        while waiting := [child for child in self._children if not _is_ready(child)]:
            self._relay()
            self._check_terminal()
            if ended := self._find_ended():
                return self._report_start(ended)
            if time.monotonic() > deadline:
                self._report(waiting[0], f"was not ready within {timeout_s:g} s")
                return 1
        held, self._held = self._held or [], None
        self._terminal.write(b"".join(line + b"\n" for line in held))
        return 0

    def wait_until_one_ends(self) -> int:
        """Relay output until some process ends by itself, which it should not; answer the exit code to end with."""
        while (ended := self._find_ended()) is None:
            self._relay()
            self._check_terminal()
        self._errors.say(f"the {ended.process.name} ended with exit code {ended.popen.returncode}; stopping the rest")
        return 1

    def _check_terminal(self) -> None:
        """Stop once the terminal has gone: under `make` as a session's leader nobody hands the hang-up on."""
        if self._terminal.has_gone() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            raise KeyboardInterrupt

    def _find_ended(self) -> _Child | None:
        ended = next((child for child in self._children if child.popen.poll() is not None), None)
        if ended:
            self._relay(wait_s=0)  # its last words
        return ended

    def _relay(self, *, wait_s: float = _TICK_S) -> None:
        for key, _ in self._selector.select(wait_s):
            chunk = os.read(key.fd, 65536)
            if not chunk:
                self._selector.unregister(key.fileobj)
            lines = [key.data.prefix(line) for line in key.data.take(chunk)]
            if self._held is None:
                self._terminal.write(b"".join(line + b"\n" for line in lines))
            else:
                self._held.extend(lines)

    def _report_start(self, ended: _Child) -> int:
        code = ended.popen.returncode
        if code in ended.process.plain_codes:
            self._errors.write(b"".join(line + b"\n" for line in ended.tail))
            return int(code)
        self._report(ended, f"ended at start with exit code {code}")
        return 1

    def _report(self, child: _Child, what: str) -> None:
        lines = "; its last lines:" if child.tail else " and said nothing"
        self._errors.say(f"the {child.process.name} {what}{lines}")
        self._errors.write(b"".join(child.prefix(line) + b"\n" for line in child.tail))


def supervise(processes: Sequence[Process], *, announcement: str, terminal: Terminal, errors: Terminal) -> int:
    """Run all `processes` until one ends; print `announcement` when all are ready.

    Shape: 0 is never answered: what runs until it is stopped ends by KeyboardInterrupt.
    """
    with Supervisor(terminal=terminal, errors=errors) as supervisor:
        for process in processes:
            supervisor.start(process)
        if code := supervisor.wait_until_ready():
            return code
        terminal.say(announcement)
        return supervisor.wait_until_one_ends()


@contextlib.contextmanager
def stop_on_signals() -> Iterator[None]:
    """Leave the block at Ctrl-C, SIGTERM or a hang-up, as if it had ended; more signals change nothing.

    Source: a hang-up that was ignored at start stays ignored, which is what nohup asks for.
    """
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)

    def stop(*_: object) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, lambda *_: os._exit(1))
        signal.setitimer(signal.ITIMER_REAL, _EXIT_S)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, stop) for each in signals}
    try:
        yield
    except KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _is_ready(child: _Child) -> bool:
    if not child.is_ready and child.process.ready_url:
        child.is_ready = _answers(child.process.ready_url)
    return child.is_ready


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=0.5)
    with contextlib.closing(connection), contextlib.suppress(OSError, HTTPException):
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200  # noqa: PLR2004 (HTTP's OK)
    return False
