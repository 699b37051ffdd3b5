"""The routes over many tasks: finding, retrying and revoking them."""

from datetime import datetime
from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta, Struct

from gateway.flows.bulk import retry_many, revoke_many
from gateway.flows.history import browse
from gateway.history.filters import Filters
from gateway.launch.task_id import TaskId
from gateway.web.auditing import note_many
from gateway.web.gate import KNOWN, find_view
from gateway.web.reading import read_json, read_query
from gateway.web.site import Site, answer, in_time
from gateway.web.tracing import publishing
from gateway.web.visit import find_visit

MAX_LIMIT: Final = 200


class HistoryQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of the history."""

    task_type: (
        Annotated[str, Meta(min_length=1, max_length=128, description="Also one that the catalog no longer has.")]
        | None
    ) = None
    status: Annotated[str, Meta(min_length=1, max_length=64, description="As FAILURE.")] | None = None
    since: Annotated[datetime, Meta(tz=True, description="Launched then or later.")] | None = None
    until: Annotated[datetime, Meta(tz=True, description="Launched before.")] | None = None
    retry_of: TaskId | None = None
    batch: TaskId | None = None
    cursor: Annotated[str, Meta(min_length=1, max_length=256, description="The `next_cursor` of a page.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT)] = 50


class BulkQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of retries and revokes of many tasks."""

    dry_run: Annotated[bool, Meta(description="Only tell which tasks match.")] = False


def make_history_handlers(site: Site) -> list[HTTPRouteHandler]:
    """Make the routes over many tasks."""

    @get(f"{site.prefix}/tasks/history", right=KNOWN)
    async def find(request: Request[Any, Any, Any]) -> Response[bytes]:
        query = read_query(request.scope, HistoryQuery)
        filters = Filters(
            task_type=query.task_type,
            status=query.status,
            since=query.since,
            until=query.until,
            retry_of=query.retry_of,
            batch=query.batch,
        )
        view = find_view(request.scope, site)
        browsing = browse(filters, view, site.services, cursor=query.cursor, limit=query.limit, prefix=site.prefix)
        return answer(await in_time(browsing, site))

    @post(f"{site.prefix}/tasks/retry", status_code=200, right=KNOWN)
    async def retry(request: Request[Any, Any, Any]) -> Response[bytes]:
        is_dry_run = read_query(request.scope, BulkQuery).dry_run
        body, view = await read_json(request, bounds=site.bounds), find_view(request.scope, site)
        with publishing(find_visit(request.scope)) as trace:
            retried = await retry_many(body, view, site.services, dry_run=is_dry_run, prefix=site.prefix, trace=trace)
        if retried.retried:
            ids = [each.retried_as for each in retried.items if each.retried_as]
            note_many(request.scope, "retry_many", ids, count=retried.retried)
        return answer(retried)

    @post(f"{site.prefix}/tasks/revoke", status_code=200, right=KNOWN)
    async def revoke(request: Request[Any, Any, Any]) -> Response[bytes]:
        is_dry_run = read_query(request.scope, BulkQuery).dry_run
        body = await read_json(request, bounds=site.bounds)
        view = find_view(request.scope, site)
        revoked = await revoke_many(body, view, site.services, dry_run=is_dry_run)
        if revoked.revoked:
            ids = [each.task_id for each in revoked.items if each.outcome == "revoked"]
            note_many(request.scope, "revoke_many", ids, count=revoked.revoked)
        return answer(revoked)

    return [find, retry, revoke]
