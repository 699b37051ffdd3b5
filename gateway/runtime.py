"""The running gateway: the served app, and the order in which its parts open and close."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import structlog
from msgspec import Struct
from msgspec.structs import replace

from gateway.assembly import Parts
from gateway.backends.kombu.existing import ExistingApp
from gateway.backends.redis.safety import find_dangers
from gateway.catalog.catalog import Catalog
from gateway.catalog.view import see_all, see_nothing
from gateway.closing import end_within, let_go
from gateway.config.roles import ADMIN
from gateway.credentials.credentials import make_credentials
from gateway.draining import Drain
from gateway.environment import load_settings
from gateway.errors import BackendError
from gateway.flows.probing import Prober
from gateway.flows.services import read_clock
from gateway.loading import compile_sources, describe_deployment, read_content
from gateway.logs import RequestLog, configure_logs
from gateway.metrics.cells import Cells
from gateway.metrics.exposition import Exposition
from gateway.metrics.meter import Meter
from gateway.metrics.sampling import Load, Sampler
from gateway.metrics.sharing import find_folder
from gateway.ports import Authentication, ConfigState, Probe
from gateway.reload import Reloader
from gateway.settings import Settings, is_redis, mask_url
from gateway.signals import on_signals
from gateway.tracing.choosing import make_tracer
from gateway.web.app import build_app
from gateway.web.auditing import Auditor
from gateway.web.cors import Cors, read_origins
from gateway.web.entrance import Entrance
from gateway.web.origin import read_networks
from gateway.web.reading import Bounds
from gateway.web.shedding import Shedder
from gateway.web.site import Site
from gateway.web.visit import REFUSE

GARBAGE_THRESHOLD = 50_000
"""Objects that may gather before a search for cycles; a request leaves a few dozen, and hardly ever a cycle."""
COLLECT_AFTER_S = 1.0
SWITCH_S = 0.0005
"""So soon a thread that works, as one that compiles a file, lets the loop go on; Python's own 5 ms come at every step of it."""
DEADLINE_SHARE = 0.9
"""Of the deadline promised to callers, what the waits inside may use."""
_log = structlog.get_logger("gateway.runtime")


class Served(Struct, frozen=True):
    """One generation, as it is served."""

    site: Site
    app: Callable[[Any, Any, Any], Awaitable[None]]
    headers: tuple[tuple[bytes, bytes], ...]


class Runtime:
    """One gateway process: an ASGI callable in front of the app of the present catalog."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        *,
        content: str,
        existing: ExistingApp | None = None,
        log: RequestLog | None = None,
    ) -> None:
        """Read the keys, and build what serves the catalog.

        `content` is the digest of what the catalog was compiled from; `log` gets a line for each request.
        Raises: SettingsError.
        """
        self._settings = settings
        self._credentials = make_credentials(settings)
        self._deadline_s = settings.deadline_s * DEADLINE_SHARE
        self._meter = Meter(Cells(find_folder(os.environ)))
        self._parts = Parts(
            settings,
            deadline_s=self._deadline_s,
            name_queues=self._name_queues,
            tally=self._meter,
            existing=existing,
            write_deeds=None if log is None else log.note_deeds,
        )
        deployment = describe_deployment(settings, route=existing.route if existing else None)
        self._reloader = Reloader(
            Path(settings.config),
            catalog,
            content=content,
            compile_catalog=lambda sources, generation: compile_sources(sources, deployment, generation=generation),
            build=self._build,
            clock=read_clock,
        )
        self._shedder = Shedder(
            self._dispatch,
            max_requests=settings.max_requests,
            max_waits=settings.max_waits,
            max_waits_per_caller=settings.max_waits_per_caller,
            max_body_bytes=settings.max_body_bytes,
        )
        self._log = log
        self._drain = Drain(
            settings.drain_s, send_away=self._send_away, set_limit=lambda: end_within(settings.shutdown_s)
        )
        origins = read_origins(settings.cors_origins)
        app = Cors(self._shedder, origins=origins) if origins else self._shedder
        self._tracer = make_tracer(os.environ)
        self._entrance = Entrance(app, tally=self._meter, log=log, tracer=self._tracer, auditor=self._make_auditor())
        self._prober = Prober(self._parts.probes, tally=self._meter, clock=read_clock)
        self._sampler = self._make_sampler()
        self._exposition = Exposition(self._meter.cells, self._sampler.read)
        self._install(self._make_served(catalog))

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            scope["state"][REFUSE] = self._entrance.refuse
            return self._live(receive, send)
        return self._entrance(scope, receive, send)

    def _make_auditor(self) -> Auditor | None:
        settings = self._settings
        if not settings.audit_limit:
            return None
        trusted = read_networks(settings.trusted_proxies)
        return Auditor(self._parts.audit, prefix=settings.prefix, trusted=trusted, clock=read_clock)

    def describe(self) -> ConfigState:
        """Return the state of the configuration."""
        return replace(self._reloader.describe(), authentication=self._describe_authentication())

    async def reload(self) -> ConfigState:
        """Reload here, and ask every other gateway of the ledger to do the same.

        Raises: ConfigError, SettingsError.
        """
        await self._parts.reload_calls.send()
        await self._reloader.reload()
        return self.describe()

    def _describe_authentication(self) -> Authentication:
        if self._credentials is None:
            return Authentication(is_insecure=self._settings.insecure)
        declared = {ADMIN, *self._served.site.catalog.rights.grants}
        unknown = tuple(sorted(self._credentials.list_roles() - declared))
        return replace(self._credentials.describe(), unknown_roles=unknown)

    def _dispatch(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        """Serve a request with the app of the moment it came in, whatever is installed meanwhile."""
        return self._served.app(scope, receive, send)

    def _build(self, catalog: Catalog) -> Callable[[], None]:
        served = self._make_served(catalog)

        def install() -> None:
            is_same = served.site.catalog.rights == self._served.site.catalog.rights
            self._install(served)
            if not is_same and self._credentials is not None:
                self._parts.changes.stop()  # whoever waits comes again, and sees what it may see by now
            # An app is full of cycles, and the collector comes by itself only after many of them; requests that are under way
            # still hold the old one.
            asyncio.get_running_loop().call_later(COLLECT_AFTER_S, gc.collect)

        return install

    def _install(self, served: Served) -> None:
        self._served = served
        self._entrance.marks = (*served.headers, *self._drain.headers)

    def _send_away(self) -> None:
        """Let everybody come again elsewhere: those who wait now, and each connection behind its next answer."""
        self._install(self._served)
        self._parts.changes.stop()

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        parts = self._parts
        runs = [self._look_beneath, self._reloader.watch, self._sampler.run, self._prober.run, *parts.runs]
        if self._credentials is not None:
            runs += self._credentials.runs
        tasks = [asyncio.create_task(run()) for run in runs]
        tasks.append(asyncio.create_task(parts.reload_calls.answer(self._reloader.look)))
        _prefer_requests()
        on_signals(self._drain.hear, signal.SIGTERM, signal.SIGINT)
        on_signals(lambda *_: self._reloader.look_now(), signal.SIGHUP)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await let_go(tasks, parts.closing)
        if self._tracer is not None:
            await asyncio.to_thread(self._tracer.close)
        if self._log is not None:
            await asyncio.to_thread(self._log.close)  # the server ends itself by the signal that it got
        await send({"type": "lifespan.shutdown.complete"})

    async def _look_beneath(self) -> None:
        """Say at once what does not answer, or can lose launches; the gateway serves all the same."""
        for probe in self._prober.probes:
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

    def _make_served(self, catalog: Catalog) -> Served:
        site = Site(
            catalog=catalog,
            view=see_all(catalog) if self._credentials is None else see_nothing(catalog),
            is_guarded=self._credentials is not None,
            services=self._parts.services,
            prober=self._prober,
            config=self,
            prefix=self._settings.prefix,
            bounds=Bounds(max_body_bytes=self._settings.max_body_bytes, max_values=self._settings.max_values),
            deadline_s=self._deadline_s,
            write_metrics=self._exposition.write,
            is_stopping=lambda: self._drain.is_begun,
        )
        headers = (
            (b"gateway-digest", catalog.digest.encode("ascii")),
            (b"gateway-generation", b"%d" % catalog.generation),
            (b"x-content-type-options", b"nosniff"),
        )
        return Served(site, build_app(site, self._credentials), headers)

    def _make_sampler(self) -> Sampler:
        return Sampler(
            self._meter,
            workers=self._parts.workers,
            backlog=self._parts.backlog,
            read_parts=self._prober.read,
            name_queues=self._name_queues,
            describe_config=self.describe,
            describe_load=self._describe_load,
        )

    def _describe_load(self) -> Load:
        dropped = self._log.writer.dropped if self._log else 0
        return Load(
            under_way=self._shedder.under_way,
            waiting=self._shedder.waiting,
            lines_dropped=dropped,
            audit_lost=self._parts.audit.lost,
        )

    def _name_queues(self) -> Iterator[str]:
        return (task_type.queue for task_type in self._served.site.catalog.task_types.values())


def _prefer_requests() -> None:
    """Keep the collector of cycles off what lives as long as the process and from running every few requests, and threads short."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
    sys.setswitchinterval(SWITCH_S)


def make_runtime() -> Runtime:
    """Make the gateway of the process's environment; the factory that the server calls in each of its processes.

    Raises: SettingsError, ConfigError.
    """
    settings, existing = load_settings(os.environ)
    log = configure_logs(level=settings.log_level, style=settings.log_format)
    return build_runtime(settings, existing, log=log)


def build_runtime(settings: Settings, existing: ExistingApp | None, *, log: RequestLog | None) -> Runtime:
    """Compile the catalog and build what serves it; nothing is connected yet. `log` gets a line for each request.

    Raises: SettingsError, ConfigError.
    """
    deployment = describe_deployment(settings, route=existing.route if existing else None)
    content = read_content(Path(settings.config))
    catalog = compile_sources(content.open(), deployment)
    return Runtime(settings, catalog, content=content.digest, existing=existing, log=log)
