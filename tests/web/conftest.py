"""The real app over the memory backend, spoken to through ASGI."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import httpx
import pytest
import uvicorn

from gateway.access.caller import Caller
from gateway.backends.memory import MemoryBackend, MemoryResults
from gateway.backends.memory_changes import MemoryChanges
from gateway.catalog.deployment import Deployment
from gateway.catalog.view import see_all, see_nothing
from gateway.flows.probing import Prober
from gateway.flows.services import read_clock
from gateway.loading import compile_sources
from gateway.metrics.cells import Cells
from gateway.metrics.meter import Meter
from gateway.ports import Authentication, ConfigState
from gateway.web.app import build_app
from gateway.web.protocol import OneWriteProtocol
from gateway.web.reading import Bounds
from gateway.web.site import Site
from gateway.web.sweeping import Sweeper
from tests.services import make_services

TASKS = """
version: 1
defaults: {queue: shop}
tasks:
  shop.order:
    description: Order something.
    tags: [shop]
    parameters:
      item: {type: string, minLength: 1, maxLength: 20}
      count: {type: integer, minimum: 1, maximum: 9, default: 1}
      token: {type: string, secret: true, required: false}
    examples: [{item: tea, count: 2}]
    priority: 3
    expires_s: 600
    caller_options: [countdown_s, eta, priority]
  shop.close:
    deprecated: true
"""


class FixedConfig:
    """A configuration that stays as it is."""

    state = ConfigState(path="tasks.yaml", digest="d", generation=1, loaded_at=datetime(2026, 11, 25, tzinfo=UTC))

    def describe(self) -> ConfigState:
        """Return its state."""
        return self.state

    async def reload(self) -> ConfigState:
        """Change nothing."""
        return self.state


@pytest.fixture
def backend() -> MemoryBackend:
    """Everything the gateway stands on."""
    return MemoryBackend()


@pytest.fixture
def changes(backend: MemoryBackend) -> MemoryChanges:
    """What tells of changes; whoever plays the worker writes records through it."""
    return MemoryChanges(backend)


class FixedCallers:
    """Callers whose keys are their roles: `operators` is the key of one who has that role, `-` that of one who has none."""

    async def identify(self, credential: bytes) -> Caller | None:
        """Return who has the role."""
        role = credential.decode()
        return Caller(id=f"key:{role}", roles=frozenset({role}), kind="key") if role not in {"", "nobody"} else None

    def describe(self) -> Authentication:
        """Return nothing of interest."""
        return Authentication(kinds=("keys",))


def make_site(
    backend: MemoryBackend, tasks: str = TASKS, *, changes: MemoryChanges | None = None, is_guarded: bool = False
) -> Site:
    """Compile a file and put the memory backend beneath it."""
    changes = changes or MemoryChanges(backend)
    catalog = compile_sources({"tasks.yaml": tasks.encode()}, Deployment(keep_s=600, visibility_timeout_s=3600))
    results = MemoryResults(backend)
    return Site(
        catalog=catalog,
        view=see_nothing(catalog) if is_guarded else see_all(catalog),
        is_guarded=is_guarded,
        services=make_services(backend, changes=changes, log=changes, feed=changes.feed),
        prober=Prober((backend, results), tally=Meter(Cells()), clock=read_clock),
        config=FixedConfig(),
        prefix="/api/celery",
        bounds=Bounds(max_body_bytes=4096, max_values=1500),
        deadline_s=2.0,
        write_metrics=lambda accept: (b"", accept),
        is_stopping=lambda: False,
    )


@pytest.fixture
async def http(backend: MemoryBackend, changes: MemoryChanges) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the app of `TASKS`."""
    transport = httpx.ASGITransport(build_app(make_site(backend, changes=changes)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


@asynccontextmanager
async def serving(
    app: Any, sweeper: Sweeper | None = None, *, state: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[int]:
    """Serve an app as `gateway serve` does, in this process; its port. `state` is what it would leave with its server."""
    http = cast("type[OneWriteProtocol]", partial(OneWriteProtocol, sweeper=sweeper))
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, http=http, ws="none", loop="uvloop", lifespan="off", log_config=None, **options)
    )
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0)
    server.lifespan.state.update(state or {})
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await running


@asynccontextmanager
async def connect_to(
    app: Any, sweeper: Sweeper | None = None, *, state: dict[str, Any] | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Serve an app; a connection to it."""
    async with serving(app, sweeper, state=state) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield reader, writer
        writer.close()
