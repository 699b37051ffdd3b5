"""Liveness, which depends on nothing, start-up, which ends once, and readiness, which names each thing the gateway stands on.

All are told from memory.
"""

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from gateway.flows.probing import PartHealth
from gateway.ports import ConfigState
from gateway.stats.availability import find_fleet, is_stale
from gateway.web.gate import OPEN, find_view
from gateway.web.site import Site, answer


class Readiness(Struct, frozen=True, kw_only=True):
    """The answer of `/health/ready`."""

    status: str
    """`ready`, `not ready`, `starting` as long as not every part has been looked at, or `stopping`."""
    parts: dict[str, PartHealth]
    workers: int | None
    """Workers that are online; null while the broker cannot be asked. The gateway serves without any, too."""
    digest: str
    generation: int


def make_health_handlers(site: Site) -> list[HTTPRouteHandler]:
    """Make the health routes, outside the prefix."""

    @get("/health/live", right=OPEN)
    async def live() -> Response[bytes]:
        return answer({"status": "live"})

    @get("/health/startup", right=OPEN)
    async def startup() -> Response[bytes]:
        is_started = await site.prober.read_soon() is not None
        return answer({"status": "started" if is_started else "starting"}, status=200 if is_started else 503)

    @get("/health/ready", right=OPEN)
    async def ready(request: Request[Any, Any, Any]) -> Response[bytes]:
        seen = await site.prober.read_soon()
        parts = dict(seen or {})
        status = _judge_all(seen, is_stopping=site.is_stopping())
        parts["config"] = _judge(site.config.describe())
        if not find_view(request.scope, site).grant.has("config"):
            parts = {name: _say_no_more(part) for name, part in parts.items()}
        readiness = Readiness(
            status=status,
            parts=parts,
            workers=_count_workers(site),
            digest=site.catalog.digest,
            generation=site.catalog.generation,
        )
        return answer(readiness, status=200 if status == "ready" else 503)

    return [live, startup, ready]


def _judge_all(seen: Mapping[str, PartHealth] | None, *, is_stopping: bool) -> str:
    if is_stopping:
        return "stopping"
    if seen is None:
        return "starting"
    return "ready" if all(part.is_ready for part in seen.values()) else "not ready"


def _say_no_more(part: PartHealth) -> PartHealth:
    """Leave out the words, which name servers and task types, for those who may not read the configuration."""
    return PartHealth(is_ready=part.is_ready, latency_ms=part.latency_ms)


def _count_workers(site: Site) -> int | None:
    view = site.services.workers.view()
    return None if is_stale(view, now=site.services.clock()) else find_fleet(view).count


def _judge(config: ConfigState) -> PartHealth:
    """Tell of a file that was not taken: what is served is sound, and older than its author thinks."""
    failure = config.failure
    warnings = () if failure is None else (f"serving generation {config.generation}: {failure.detail.splitlines()[0]}",)
    return PartHealth(
        is_ready=True,
        latency_ms=0.0,
        last_error=None if failure is None else failure.detail,
        last_error_at=None if failure is None else failure.at,
        warnings=warnings,
    )
