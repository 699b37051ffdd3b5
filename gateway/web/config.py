"""The routes of the configuration: what is served, since when, and what was wrong with the last file that was not."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler

from gateway.web.auditing import note
from gateway.web.reading import NoQuery, read_query
from gateway.web.site import Site, answer


def make_config_handlers(site: Site) -> list[HTTPRouteHandler]:
    """Make the routes of the configuration."""

    @get(f"{site.prefix}/config", right="config")
    async def show_config(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request.scope, NoQuery)
        return answer(site.config.describe())

    @post(f"{site.prefix}/config/reload", status_code=200, right="reload")
    async def reload_config(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request.scope, NoQuery)
        state = await site.config.reload()
        note(request.scope, "reload")
        return answer(state)

    return [show_config, reload_config]
