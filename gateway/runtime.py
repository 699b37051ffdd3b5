"""The running gateway: connections, the served app, and the order in which they open and close."""

import asyncio
import gc
import os
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import structlog
from redis.asyncio import Redis

from gateway.backends.kombu.app import make_app
from gateway.backends.kombu.existing import ExistingApp
from gateway.backends.kombu.sender import KombuSender
from gateway.backends.kombu.workers import CeleryWorkers
from gateway.backends.outbox.publisher import OutboxPublisher
from gateway.backends.outbox.sender import Sender, SplitSender
from gateway.backends.outbox.store import OutboxStore
from gateway.backends.outbox.sweeper import Sweeper
from gateway.backends.redis.connection import connect
from gateway.backends.redis.ledger import RedisLedger
from gateway.backends.redis.message import Lanes
from gateway.backends.redis.publisher import RedisPublisher
from gateway.backends.redis.results import RedisResults
from gateway.backends.redis.safety import find_dangers
from gateway.backends.redis.sender import RedisSender
from gateway.backends.redis.trips import SharedTrips
from gateway.backends.split import SplitPublisher
from gateway.catalog.catalog import Catalog
from gateway.environment import load_settings
from gateway.errors import BackendError, UnsafeError
from gateway.flows.services import Services
from gateway.loading import describe_deployment, load_catalog
from gateway.logs import configure_logs
from gateway.ports import Probe, Publisher, Results
from gateway.settings import Settings, is_redis, mask_url, read_steps
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
        self._existing = existing
        self._deadline_s = settings.deadline_s * DEADLINE_SHARE
        self._clients: dict[str, Redis] = {}
        self._trips: dict[str, SharedTrips] = {}
        self._closing = AsyncExitStack()
        self._catalog = catalog
        self._sweepers: list[Sweeper] = []
        self._workers = self._make_workers()
        self._site = self._make_site()
        self._app = Shedder(
            build_app(self._site), max_requests=settings.max_requests, max_body_bytes=settings.max_body_bytes
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection with the app of the moment it came in."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._app(scope, receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        self._workers.start()
        self._closing.callback(self._workers.close)
        for client in self._clients.values():
            self._closing.push_async_callback(client.aclose)
        tasks = [asyncio.create_task(self._look_beneath())]
        tasks += (asyncio.create_task(sweeper.run()) for sweeper in self._sweepers)
        _settle_memory()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in tasks:
            task.cancel()
        await self._closing.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _look_beneath(self) -> None:
        """Say at once what does not answer, or can lose launches; the gateway serves all the same."""
        for probe in self._site.probes:
            variable, url = self._name_url(probe)
            try:
                await probe.check()
                if probe.name != "results" and is_redis(url):
                    probe.warnings = await find_dangers(self._client(url), deadline_s=self._deadline_s)
            except BackendError as error:
                advice = f"start it or set {variable}; until then launches answer 503"
                _log.warning("part_missing", part=probe.name, detail=str(error), url=mask_url(url), advice=advice)
            for danger in probe.warnings:
                _log.warning("part_unsafe", part=probe.name, detail=danger, url=mask_url(url))

    def _name_url(self, probe: Probe) -> tuple[str, str]:
        name = {"broker": "broker_url", "ledger": "redis_url", "results": "result_url"}[probe.name]
        return f"GATEWAY_{name.upper()}", getattr(self._settings, name)

    def _make_site(self) -> Site:
        settings, deadline_s = self._settings, self._deadline_s
        ledger = RedisLedger(
            self._share_trips(settings.redis_url),
            prefix=settings.key_prefix,
            deadline_s=deadline_s,
        )
        results = RedisResults(
            self._share_trips(settings.result_url),
            key_prefix=settings.result_key_prefix,
            deadline_s=deadline_s,
            max_bytes=settings.max_result_bytes,
        )
        publisher, broker = self._make_publisher(results)
        return Site(
            catalog=self._catalog,
            services=Services(publisher=publisher, ledger=ledger, results=results, workers=self._workers),
            probes=(broker, ledger, results),
            prefix=settings.prefix,
            max_body_bytes=settings.max_body_bytes,
            deadline_s=deadline_s,
        )

    def _make_publisher(self, results: Results) -> tuple[Publisher, Probe]:
        """Make the publisher: one step where ledger and broker are one Redis, an outbox elsewhere."""
        settings, deadline_s = self._settings, self._deadline_s
        origin = f"{os.getpid()}@{socket.gethostname()}"
        lanes = self._make_lanes()
        if settings.broker_url == settings.redis_url:
            broker = RedisPublisher(
                self._client(settings.broker_url),
                prefix=settings.key_prefix,
                lanes=lanes,
                origin=origin,
                deadline_s=deadline_s,
            )
            if self._existing is None:
                return broker, broker
            return SplitPublisher(broker, self._make_outbox(self._make_kombu(), results)), broker
        if is_redis(settings.broker_url):
            client = self._client(settings.broker_url)
            plain = RedisSender(client, lanes=lanes, origin=origin, deadline_s=deadline_s)
            other = self._make_kombu() if self._existing else None
            return self._make_outbox(SplitSender(plain, other) if other else plain, results), plain
        kombu = self._make_kombu()
        return self._make_outbox(kombu, results), kombu

    def _make_lanes(self) -> Lanes:
        settings = self._settings
        return Lanes(
            key_prefix=settings.broker_key_prefix,
            steps=read_steps(settings.priority_steps),
            separator=settings.priority_separator,
        )

    def _make_kombu(self) -> KombuSender:
        sender = KombuSender(self._make_celery(), deadline_s=self._deadline_s, existing=self._existing)
        self._closing.callback(sender.close)
        return sender

    def _make_outbox(self, sender: Sender, results: Results) -> OutboxPublisher:
        settings = self._settings
        store = OutboxStore(self._client(settings.redis_url), prefix=settings.key_prefix, deadline_s=self._deadline_s)
        self._sweepers.append(Sweeper(store, sender, results))
        return OutboxPublisher(store, sender, limit=settings.outbox_limit, find_depth=self._find_depth)

    def _find_depth(self, queue: str) -> int | None:
        return self._workers.view().queues.get(queue)

    def _make_workers(self) -> CeleryWorkers:
        return CeleryWorkers(
            self._make_celery(),
            queues=self._name_queues,
            refresh_s=self._settings.workers_refresh_s,
            deadline_s=self._deadline_s,
        )

    def _make_celery(self) -> Any:
        settings = self._settings
        return make_app(
            settings.broker_url,
            lanes=self._make_lanes(),
            deadline_s=self._deadline_s,
            default_queue=settings.default_queue,
            sentinel_master=settings.sentinel_master,
            existing=self._existing,
        )

    def _name_queues(self) -> Iterator[str]:
        return (task_type.queue for task_type in self._catalog.task_types.values())

    def _client(self, url: str) -> Redis:
        """Return the one client of a URL."""
        if url not in self._clients:
            self._clients[url] = connect(
                url, deadline_s=self._deadline_s, sentinel_master=self._settings.sentinel_master
            )
        return self._clients[url]

    def _share_trips(self, url: str) -> SharedTrips:
        """Return the one way on which reads of a URL share round trips."""
        if url not in self._trips:
            self._trips[url] = SharedTrips(self._client(url), deadline_s=self._deadline_s)
        return self._trips[url]


def _settle_memory() -> None:
    """Keep the collector of cycles off what lives as long as the process, and from running every few requests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)


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
