"""The route of the audit: who did what, the newest first."""

from typing import Annotated, Any, Final

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta, Struct

from gateway.access.deed import Action, Deed
from gateway.ports import Audit
from gateway.web.reading import read_query
from gateway.web.site import Site, answer, in_time

MOST_EXAMINED: Final = 1000
"""Records that are looked at for one page."""


class AuditQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of the audit."""

    caller: Annotated[str, Meta(min_length=1, max_length=160, description="As key:ci.")] | None = None
    action: Action | None = None
    outcome: Annotated[str, Meta(min_length=1, max_length=64, description="As accepted, or forbidden.")] | None = None
    cursor: (
        Annotated[
            str,
            Meta(pattern=r"^[1-9][0-9]{0,14}-[0-9]{1,15}\.[0-9]{1,2}\Z", description="The `next_cursor` of a page."),
        ]
        | None
    ) = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class AuditPage(Struct, frozen=True, kw_only=True):
    """Records, the newest first; fewer than were asked for, or none, where much had to be looked at."""

    items: tuple[Deed, ...]
    next_cursor: str | None
    """Goes on behind them; null at the end."""


def make_audit_handlers(site: Site) -> list[HTTPRouteHandler]:
    """Make the route of the audit."""

    @get(f"{site.prefix}/audit", right="audit")
    async def show_audit(request: Request[Any, Any, Any]) -> Response[bytes]:
        query = read_query(request.scope, AuditQuery)
        return answer(await in_time(_find(query, site.services.audit), site))

    return [show_audit]


async def _find(query: AuditQuery, audit: Audit) -> AuditPage:
    items: list[Deed] = []
    position, examined = query.cursor, 0
    while examined < MOST_EXAMINED:
        found = await audit.read(position)
        if not found:
            return AuditPage(items=tuple(items), next_cursor=None)
        examined += len(found)
        for position, deed in found:
            if _is_wanted(deed, query):
                items.append(deed)
                if len(items) == query.limit:
                    return AuditPage(items=tuple(items), next_cursor=position)
    return AuditPage(items=tuple(items), next_cursor=position)


def _is_wanted(deed: Deed, query: AuditQuery) -> bool:
    return (
        query.caller in {None, deed.caller}
        and query.action in {None, deed.action}
        and query.outcome in {None, deed.outcome}
    )
