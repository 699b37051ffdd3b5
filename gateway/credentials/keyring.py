"""The keys file of a gateway: read when it starts, and again whenever its content changes.

What comes in: a path. What goes out: whose key is presented. A line that is no key is out, and said to be; a file that can no
longer be read leaves the last keys that could, and that is said too. At the start it has to be readable.
"""

import asyncio
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog
from msgspec import Struct

from gateway.access.caller import Caller
from gateway.access.keys import MAX_BYTES, ApiKey, find_caller, read_keys
from gateway.errors import Issue, SettingsError
from gateway.files import NotPlainFileError, read_plain_file
from gateway.ports import Authentication

POLL_S: Final = 1.0
"""Between two looks at the file, by its content: so long a key works at most once its line is gone."""
_log = structlog.get_logger("gateway.credentials")


class _Keys(Struct, frozen=True):
    """What one content of the file says."""

    content: bytes
    keys: Mapping[str, ApiKey]
    issues: tuple[Issue, ...]


class Keyring:
    """Knows callers by their keys."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Read the file.

        Raises: SettingsError when that is not possible, or others may read it.
        """
        self._path = path
        self._clock = clock
        self._failure: str | None = None
        self._known = self._take(read_keys_file(path))

    async def identify(self, credential: bytes) -> Caller | None:
        """Return whose key this is."""
        return find_caller(self._known.keys, credential, now=self._clock())

    def describe(self) -> Authentication:
        """Return the state of the file."""
        now = self._clock()
        return Authentication(
            kinds=("keys",),
            keys=sum(each.expires_at is None or each.expires_at > now for each in self._known.keys.values()),
            issues=self._known.issues,
            failure=self._failure,
        )

    def list_roles(self) -> frozenset[str]:
        """Return every role that a key has."""
        return frozenset().union(*(each.caller.roles for each in self._known.keys.values()))

    async def watch(self) -> None:
        """Look at the file again and again, until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            await self.look()

    async def look(self) -> None:
        """Read the file; take what is new."""
        try:
            content = await asyncio.to_thread(read_keys_file, self._path)
        except SettingsError as error:
            if self._failure != str(error):
                _log.error("keys_unreadable", file=str(self._path), detail=str(error), keys=len(self._known.keys))
            self._failure = str(error)
            return
        self._failure = None
        if content != self._known.content:
            self._known = self._take(content)

    def _take(self, content: bytes) -> _Keys:
        keys, issues = read_keys(content, file=str(self._path))
        for issue in issues:
            _log.error("key_refused", detail=str(issue))
        _log.info("keys_read", file=str(self._path), keys=len(keys), issues=len(issues))
        return _Keys(content, keys, issues)


def read_keys_file(path: Path) -> bytes:
    """Read a keys file that only its owner, and perhaps a group, can read.

    Raises: SettingsError.
    """
    try:
        content, mode = read_plain_file(path, max_bytes=MAX_BYTES)
    except NotPlainFileError as error:
        raise SettingsError(f"the keys file {path} is no regular file") from error
    except OSError as error:
        advice = "make one with `gateway keys new`"
        raise SettingsError(f"the keys file {path} cannot be read ({error.strerror}): {advice}") from error
    if mode & stat.S_IRWXO:
        raise SettingsError(f"the keys file {path} can be used by everybody on this machine: chmod 600 {path}")
    return content
