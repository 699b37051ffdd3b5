"""Reloading: a changed tasks.yaml is read, compiled and built into an app aside, and takes over in one step, or not at all.

What comes in: the path, and who builds and installs an app. What goes out: the state of the configuration. Whatever is wrong
with the new file, the old catalog is served on, and nothing changes but the record of the failure.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Final

import structlog

from gateway.catalog.catalog import Catalog
from gateway.errors import ConfigError, GatewayError
from gateway.loading import Sources, read_sources
from gateway.ports import ConfigFailure, ConfigState

POLL_S: Final = 1.0
"""Between two looks at the file: as a digest of its content, so that links and network mounts are seen like edits."""
_log = structlog.get_logger("gateway.reload")


class Reloader:
    """Keeps one process at the present content of its tasks.yaml."""

    def __init__(
        self,
        path: Path,
        catalog: Catalog,
        *,
        compile_catalog: Callable[[Sources, int], Catalog],
        build: Callable[[Catalog], Callable[[], None]],
        clock: Callable[[], datetime],
    ) -> None:
        """`build` makes all that serves a catalog and returns what installs it, which cannot fail."""
        self._path = path
        self._catalog = catalog
        self._compile = compile_catalog
        self._build = build
        self._clock = clock
        self._turn = asyncio.Lock()
        self._asked = asyncio.Event()
        self._seen = ""
        self._state = ConfigState(
            path=str(path), digest=catalog.digest, generation=catalog.generation, loaded_at=clock()
        )

    def describe(self) -> ConfigState:
        """Return the state of the configuration."""
        return self._state

    async def watch(self) -> None:
        """Reload whenever the content changes, until cancelled; at first too, as it may have changed since it was loaded."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._asked.wait()
            await self._look(is_asked=self._asked.is_set())

    def look_now(self) -> None:
        """Reload at once, as a signal asks for."""
        self._asked.set()

    async def _look(self, *, is_asked: bool) -> None:
        """Reload if that is asked for, or the content is not what was seen last."""
        self._asked.clear()
        if is_asked or await asyncio.to_thread(_take_digest, self._path) != self._seen:
            await self.try_reload()

    async def try_reload(self) -> None:
        """Reload; a failure is on record, and that is all."""
        try:
            await self.reload()
        except GatewayError:
            return

    async def reload(self) -> ConfigState:
        """Read the file and serve what it says; one that says the same changes nothing.

        Raises: ConfigError with every issue, or SettingsError; then the old catalog is served on.
        """
        async with self._turn:
            self._seen = await asyncio.to_thread(_take_digest, self._path)
            try:
                catalog, install = await asyncio.to_thread(self._prepare)
            except GatewayError as error:
                self._note_failure(error)
                raise
            self._take_over(catalog, install)
            return self._state

    def _prepare(self) -> tuple[Catalog, Callable[[], None]]:
        """Do all that can fail."""
        catalog = self._compile(read_sources(self._path), self._catalog.generation + 1)
        if catalog.digest == self._catalog.digest:
            return self._catalog, _do_nothing
        return catalog, self._build(catalog)

    def _take_over(self, catalog: Catalog, install: Callable[[], None]) -> None:
        install()
        is_new = catalog is not self._catalog
        self._catalog = catalog
        self._state = ConfigState(
            path=str(self._path),
            digest=catalog.digest,
            generation=catalog.generation,
            loaded_at=self._clock() if is_new else self._state.loaded_at,
            failures=self._state.failures,
        )
        if is_new:
            _log.info("config_reloaded", digest=catalog.digest, generation=catalog.generation)

    def _note_failure(self, error: GatewayError) -> None:
        before = self._state.failure
        issues = error.issues if isinstance(error, ConfigError) else ()
        failure = ConfigFailure(at=self._clock(), content=self._seen, detail=str(error)[:2000], issues=issues)
        self._state = ConfigState(
            path=self._state.path,
            digest=self._state.digest,
            generation=self._state.generation,
            loaded_at=self._state.loaded_at,
            failures=self._state.failures + 1,
            failure=failure,
        )
        if before is None or before.content != failure.content:  # once per content, however often it is tried
            _log.error("config_refused", content=failure.content, issues=len(issues), detail=failure.detail)


def _take_digest(path: Path) -> str:
    """Return what tells the content of a path from any other; what cannot be read is content of its own."""
    digest = blake2b(digest_size=12)
    try:
        for name, data in read_sources(path).items():
            digest.update(b"%d %d %b" % (len(name), len(data), name.encode()))
            digest.update(data)
    except ConfigError as error:
        digest.update(str(error).encode())
    return digest.hexdigest()


def _do_nothing() -> None:
    """Install nothing: what is served already says the same."""
