"""Holds one command so that it cannot outlive whoever started it.

What comes in: a pipe that the owner keeps open, and a command. The pipe closes when the owner closes it or dies,
however it dies; then the command gets SIGTERM and, after a grace, its whole process group SIGKILL.
It must never be the parent's own process group, nor hold a terminal.

    python -m gateway.demo.leash PIPE_FD GRACE_S REMOVE_DIR COMMAND…      (REMOVE_DIR may be empty)
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def command(argv: Sequence[str], *, pipe: int, grace_s: float, remove: str = "") -> list[str]:
    """Say how to start `argv` on a leash; `remove` names a folder to delete once it has ended."""
    return [sys.executable, "-m", "gateway.demo.leash", str(pipe), str(grace_s), remove, *argv]


def main(argv: Sequence[str]) -> int:
    """Run the command to its end; answer its exit code, 128 and the signal if one killed it."""
    pipe, grace_s, remove = int(argv[0]), float(argv[1]), argv[2]
    child = subprocess.Popen(argv[3:], start_new_session=True, preexec_fn=_die_with_parent)  # noqa: S603, PLW1509 (the owner's own command; no thread runs yet)
    threading.Thread(target=_end_with_owner, args=(child, pipe, grace_s), daemon=True).start()
    code = child.wait()
    _kill_group(child.pid)
    if remove:
        shutil.rmtree(remove, ignore_errors=True)
    return code if code >= 0 else 128 - code


def _end_with_owner(child: subprocess.Popen[bytes], pipe: int, grace_s: float) -> None:
    """Wait for the pipe to close. The leader alone is asked: Celery's pool would drop its tasks at SIGTERM."""
    os.read(pipe, 1)
    child.terminate()
    try:
        child.wait(grace_s)
    except subprocess.TimeoutExpired:
        _kill_group(child.pid)


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _die_with_parent() -> None:
    """Have the kernel kill the command should the leash itself be killed; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
