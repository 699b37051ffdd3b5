"""The running gateway: the served app, and the order in which its parts open and close."""

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import structlog

from gateway.assembly import Parts
from gateway.backends.kombu.existing import ExistingApp
from gateway.backends.redis.connection import connect
from gateway.backends.redis.safety import find_dangers
from gateway.catalog.catalog import Catalog
from gateway.environment import load_settings
from gateway.errors import BackendError, UnsafeError
from gateway.loading import describe_deployment, load_catalog
from gateway.logs import configure_logs
from gateway.ports import Probe
from gateway.settings import Settings, is_redis, mask_url
from gateway.web.app import build_app
from gateway.web.shedding import Shedder
from gateway.web.site import Site

GARBAGE_THRESHOLD = 50_000
"""Objects that may gather before a search for cycles; a request leaves a few dozen, and hardly ever a cycle."""
DEADLINE_SHARE = 0.9
"""Of the deadline promised to callers, what the waits inside may use."""
_log = structlog.get_logger("gateway.runtime")


class Runtime:
    """One gateway process: an ASGI callable in front of the app of the present catalog."""

    def __init__(self, settings: Settings, catalog: Catalog, existing: ExistingApp | None = None) -> None:
        self._settings = settings
        self._deadline_s = settings.deadline_s * DEADLINE_SHARE
        self._catalog = catalog
        self._parts = Parts(settings, deadline_s=self._deadline_s, name_queues=self._name_queues, existing=existing)
        self._site = self._make_site()
        self._app = Shedder(
            build_app(self._site),
            max_requests=settings.max_requests,
            max_waits=settings.max_waits,
            max_body_bytes=settings.max_body_bytes,
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection with the app of the moment it came in."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._app(scope, receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        parts = self._parts
        parts.workers.start()
        parts.closing.callback(parts.workers.close)
        tasks = [asyncio.create_task(run()) for run in (self._look_beneath, *parts.runs)]
        _settle_memory()
        _on_stop_signal(parts.changes.stop)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await parts.closing.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _look_beneath(self) -> None:
        """Say at once what does not answer, or can lose launches; the gateway serves all the same."""
        for probe in self._site.probes:
            variable, url = self._name_url(probe)
            try:
                await probe.check()
                if probe.name != "results" and is_redis(url):
                    probe.warnings = await find_dangers(self._parts.client(url), deadline_s=self._deadline_s)
            except BackendError as error:
                advice = f"start it or set {variable}; until then launches answer 503"
                _log.warning("part_missing", part=probe.name, detail=str(error), url=mask_url(url), advice=advice)
            for danger in probe.warnings:
                _log.warning("part_unsafe", part=probe.name, detail=danger, url=mask_url(url))

    def _name_url(self, probe: Probe) -> tuple[str, str]:
        name = {"broker": "broker_url", "ledger": "redis_url", "results": "result_url"}[probe.name]
        return f"GATEWAY_{name.upper()}", getattr(self._settings, name)

    def _make_site(self) -> Site:
        return Site(
            catalog=self._catalog,
            services=self._parts.services,
            probes=self._parts.probes,
            prefix=self._settings.prefix,
            max_body_bytes=self._settings.max_body_bytes,
            deadline_s=self._deadline_s,
        )

    def _name_queues(self) -> Iterator[str]:
        return (task_type.queue for task_type in self._catalog.task_types.values())


def _settle_memory() -> None:
    """Keep the collector of cycles off what lives as long as the process, and from running every few requests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)


def _on_stop_signal(tell: Callable[[], None]) -> None:
    """Tell those who wait as soon as the process is asked to stop: the server waits for them before it tells the app."""
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        server = signal.getsignal(number)

        def stop(number: int, frame: FrameType | None, server: Any = server) -> None:
            loop.call_soon_threadsafe(tell)
            if callable(server):
                server(number, frame)

        signal.signal(number, stop)


def make_runtime() -> Runtime:
    """Make the gateway of the process's environment; the factory that the server calls in each of its processes.

    Raises: SettingsError, ConfigError.
    """
    settings, existing = load_settings(os.environ)
    configure_logs(level=settings.log_level, style=settings.log_format)
    return build_runtime(settings, existing)


def build_runtime(settings: Settings, existing: ExistingApp | None) -> Runtime:
    """Compile the catalog and build what serves it; nothing is connected yet.

    Raises: SettingsError, ConfigError.
    """
    deployment = describe_deployment(settings, route=existing.route if existing else None)
    return Runtime(settings, load_catalog(Path(settings.config), deployment), existing)


async def refuse_unsafe(settings: Settings) -> None:
    """Look at every Redis that keeps launches, before anything is served.

    Raises: UnsafeError naming all that is dangerous; LedgerUnavailableError when one does not answer.
    """
    dangers: list[str] = []
    for url in dict.fromkeys(url for url in (settings.broker_url, settings.redis_url) if is_redis(url)):
        client = connect(url, deadline_s=settings.deadline_s, sentinel_master=settings.sentinel_master)
        try:
            found = await find_dangers(client, deadline_s=settings.deadline_s)
        finally:
            await client.aclose()
        dangers += (f"{mask_url(url)}: {danger}" for danger in found)
    if dangers:
        raise UnsafeError(f"GATEWAY_STRICT refuses this Redis: {'; '.join(dangers)}")
