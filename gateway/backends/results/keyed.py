"""Celery's key-value result backends, read through their own `get` and `mget`: the bytes as they were stored.

What goes out is never decoded here: Celery's own reading builds exceptions, and may unpickle.
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from celery import Celery
from celery.backends.filesystem import FilesystemBackend

PROBE_ID = "00000000-0000-0000-0000-000000000000"
UNREADABLE = b"?"
"""Stands for a value that is neither bytes nor text; no JSON begins like this."""


class ReadOnlyFiles(FilesystemBackend):  # type: ignore[misc] # Celery ships no types
    """A folder of results that need not be writable: Celery's own class writes a file when it is made."""

    def _do_directory_test(self, key: bytes) -> None:
        """Leave the folder as it is."""


class KeyedReader:
    """Reads by key, with a client for each thread: Celery's backends are not made to be shared."""

    def __init__(self, app: Celery, backend_class: type, url: str | None) -> None:
        """Make one client at once, so that what is missing is known at start; none of them connects for that."""
        self._app = app
        self._class = ReadOnlyFiles if backend_class is FilesystemBackend else backend_class
        self._url = url
        self._of_thread = threading.local()
        self._made: list[Any] = []
        self._of_thread.backend = self._make()

    def read(self, task_ids: Sequence[str]) -> list[bytes | None]:
        """Return the raw records of tasks."""
        backend = self._find_backend()
        keys = [backend.get_key_for_task(task_id) for task_id in task_ids]
        return [_as_bytes(value) for value in _get_all(backend, keys)]

    def look(self) -> tuple[str, ...]:
        """Ask for one key."""
        backend = self._find_backend()
        backend.get(backend.get_key_for_task(PROBE_ID))
        if isinstance(backend, ReadOnlyFiles) and not Path(backend.path.decode()).is_dir():
            return ("the folder of the results does not exist, so that nothing is heard of any task",)
        return ()

    def close(self) -> None:
        """Close the clients that hold a connection, as that of memcached does; the others hold none between two calls."""
        for backend in self._made:
            close = getattr(vars(backend).get("client"), "close", None)
            if close is not None:
                close()
        self._app.close()

    def _find_backend(self) -> Any:
        if not hasattr(self._of_thread, "backend"):
            self._of_thread.backend = self._make()
        return self._of_thread.backend

    def _make(self) -> Any:
        backend = self._class(app=self._app, url=self._url)
        self._made.append(backend)
        return backend


def _get_all(backend: Any, keys: list[Any]) -> list[Any]:
    if len(keys) == 1:
        return [backend.get(keys[0])]
    try:
        found = backend.mget(keys)
    except NotImplementedError:
        return [backend.get(key) for key in keys]
    return [found.get(key) for key in keys] if isinstance(found, Mapping) else list(found)


def _as_bytes(value: object) -> bytes | None:
    if not value:
        return None  # Celery too takes what is empty for nothing
    if isinstance(value, str):
        return value.encode(errors="replace")
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else UNREADABLE
