"""Reloading: a changed tasks.yaml is read, compiled and built into an app aside, and takes over in one step, or not at all.

What comes in: the path, and who builds and installs an app. What goes out: the state of the configuration. Whatever is wrong
with the new file, the old catalog is served on, and nothing changes but the record of the failure.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from gateway.catalog.catalog import Catalog
from gateway.errors import ConfigError, GatewayError
from gateway.loading import Content, Sources, read_content
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
        content: str,
        compile_catalog: Callable[[Sources, int], Catalog],
        build: Callable[[Catalog], Callable[[], None]],
        clock: Callable[[], datetime],
    ) -> None:
        """`content` is the digest of what the catalog was compiled from.

        `build` makes all that serves a catalog and returns what installs it, which cannot fail.
        """
        self._path = path
        self._catalog = catalog
        self._compile = compile_catalog
        self._build = build
        self._clock = clock
        self._turn = asyncio.Lock()
        self._asked = asyncio.Event()
        self._seen = content
        self._state = ConfigState(
            path=str(path), digest=catalog.digest, generation=catalog.generation, loaded_at=clock()
        )

    def describe(self) -> ConfigState:
        """Return the state of the configuration."""
        return self._state

    async def watch(self) -> None:
        """Reload whenever the content changes, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._asked.wait()
            await self.look()

    def look_now(self) -> None:
        """Reload at once, as a signal asks for."""
        self._asked.set()

    async def look(self) -> None:
        """Reload if a signal asks for it, or the content is not what was seen last; a failure is on record."""
        is_asked = self._asked.is_set()
        self._asked.clear()
        async with self._turn:
            content = await asyncio.to_thread(read_content, self._path)
            if is_asked or content.digest != self._seen:
                with suppress(GatewayError):
                    await self._load(content)

    async def reload(self) -> ConfigState:
        """Read the file and serve what it says; one that says the same changes nothing.

        Raises: ConfigError with every issue, or SettingsError; then the old catalog is served on.
        """
        async with self._turn:
            await self._load(await asyncio.to_thread(read_content, self._path))
            return self._state

    async def _load(self, content: Content) -> None:
        if content.digest == self._seen and self._state.failure is None:
            return  # another call was faster
        self._seen = content.digest
        try:
            catalog, install = await asyncio.to_thread(self._prepare, content)
        except GatewayError as error:
            self._note_failure(error)
            raise
        self._take_over(catalog, install)

    def _prepare(self, content: Content) -> tuple[Catalog, Callable[[], None]]:
        """Do all that can fail."""
        catalog = self._compile(content.open(), self._catalog.generation + 1)
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


def _do_nothing() -> None:
    """Install nothing: what is served already says the same."""
