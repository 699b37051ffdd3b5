"""The catalog's routes, and beside it what the workers do, and where they differ from it."""

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from gateway.catalog.task_type import CatalogEntry, TaskType, show
from gateway.stats.availability import judge_availability
from gateway.stats.drift import Declared, find_drift
from gateway.stats.stats import summarise
from gateway.web.gate import KNOWN, find_view
from gateway.web.reading import NoQuery, read_query
from gateway.web.site import PRIVATE, Site, answer, encode_etag, find_in_path


class CatalogQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of the catalog."""

    tag: str | None = None


def make_catalog_handlers(site: Site) -> list[HTTPRouteHandler]:
    """Make the routes that describe what can be launched, and who runs it."""

    @get(f"{site.prefix}/tasks", right=KNOWN)
    async def list_task_types(request: Request[Any, Any, Any]) -> Response[bytes]:
        tag = read_query(request.scope, CatalogQuery).tag
        chosen = (
            each
            for each in find_view(request.scope, site).catalog.task_types.values()
            if tag is None or tag in each.tags
        )
        body = msgspec.json.encode([_show(site, task_type) for task_type in chosen])
        headers = {"ETag": (etag := encode_etag(body)), **PRIVATE}
        if request.headers.get("if-none-match") == etag:
            return Response(b"", status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    @get(f"{site.prefix}/tasks/types/{{task_type:str}}", right=KNOWN)
    async def show_task_type(request: Request[Any, Any, Any], task_type: FromPath[str]) -> Response[bytes]:
        read_query(request.scope, NoQuery)
        return answer(_show(site, find_in_path(find_view(request.scope, site), task_type)))

    @get(f"{site.prefix}/stats", right="stats")
    async def show_stats(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request.scope, NoQuery)
        return answer(summarise(site.services.workers.view(), now=site.services.clock()))

    @get(f"{site.prefix}/drift", right="stats")
    async def show_drift(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request.scope, NoQuery)
        declared = (Declared(each.task_type, each.name, each.queue) for each in site.catalog.task_types.values())
        view, now = site.services.workers.view(), site.services.clock()
        return answer(find_drift(declared, view, digest=site.catalog.digest, now=now))

    return [list_task_types, show_task_type, show_stats, show_drift]


def _show(site: Site, task_type: TaskType) -> CatalogEntry:
    view, now = site.services.workers.view(), site.services.clock()
    found = judge_availability(view, name=task_type.name, queue=task_type.queue, now=now)
    return show(task_type, prefix=site.prefix, availability=found.word, reason=found.reason)
