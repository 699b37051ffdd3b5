"""A real Chromium, spoken to over its debugging pipe."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.harness import need, wait_for

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
"""It reaches no other host."""


_BECOME = """
import fcntl, os, sys
reading, writing = (fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3])
os.dup2(reading, 3)
os.dup2(writing, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Becomes Chromium, which finds its pipe at 3 and 4."""


class Page:
    """One page of it."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._numbers = itertools.count(1)
        self._rest = b""
        self.complaints: list[str] = []
        """What the browser's console said of errors, violated policies included."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """Call a method of the page."""
        return self._call(method, session=self._session, **params)

    def evaluate(self, code: str) -> Any:
        """Return the value of an expression."""
        return self.call("Runtime.evaluate", expression=code, returnByValue=True)["result"].get("value")

    def wait_for(self, code: str) -> None:
        """Wait until an expression is true."""
        wait_for(code, lambda: self.evaluate(code) or None, limit_s=30)

    def _call(self, method: str, *, session: str | None = None, **params: Any) -> Any:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                return answer["result"]
            self._note(answer)

    def _read(self) -> Any:
        while b"\0" not in self._rest:
            self._rest += os.read(self._reading, 65_536)
        raw, _, self._rest = self._rest.partition(b"\0")
        return json.loads(raw)

    def _note(self, event: Any) -> None:
        entry = event.get("params", {}).get("entry", {})
        if event.get("method") == "Runtime.exceptionThrown" or entry.get("level") == "error":
            self.complaints.append(json.dumps(event["params"])[:500])


@contextmanager
def open_page(folder: Path) -> Iterator[Page]:
    """Open a page in a browser of its own."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    options = [*FLAGS, "--remote-debugging-pipe", f"--user-data-dir={folder}"]
    argv = [sys.executable, "-c", _BECOME, str(theirs_in), str(theirs_out), need("chromium"), *options]
    process = subprocess.Popen(argv, pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL)
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Page(ours_in, ours_out)
    finally:
        process.terminate()
        process.wait(10)
        os.close(ours_in)
        os.close(ours_out)
