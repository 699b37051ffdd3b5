"""The folder in which the processes behind one port count together.

The supervisor makes it and takes it away; how its processes find it is no setting, as nobody else may name one.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

VARIABLE: Final = "TASK_GATEWAY_COUNTS_IN"
MEMORY: Final = "/dev/shm"  # noqa: S108 - mkdtemp makes a folder of its own in it, that nobody else can read
"""Where there is such a place, no disk is ever written to."""
_log = structlog.get_logger("gateway.metrics")


@contextmanager
def shared_folder(environment: MutableMapping[str, str]) -> Iterator[None]:
    """Let the processes that are started meanwhile count together; without a place to do so each counts for itself."""
    try:
        folder = tempfile.mkdtemp(prefix="gateway-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
    except OSError as error:
        _log.warning("metrics_not_shared", detail=f"{error}; /metrics shows one of the processes at a time")
        yield
        return
    environment[VARIABLE] = folder
    try:
        yield
    finally:
        del environment[VARIABLE]
        shutil.rmtree(folder, ignore_errors=True)


def find_folder(environment: MutableMapping[str, str]) -> Path | None:
    """Return the folder of this process, if it has one."""
    folder = environment.get(VARIABLE)
    return Path(folder) if folder else None
