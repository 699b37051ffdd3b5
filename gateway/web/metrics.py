"""The route that Prometheus asks."""

import asyncio
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from gateway.web.site import Site


def make_metrics_handlers(site: Site) -> list[HTTPRouteHandler]:
    """Make `/metrics`, outside the prefix."""

    @get("/metrics", right="metrics")
    async def show_metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
        accept = request.headers.get("accept", "")
        body, media_type = await asyncio.to_thread(site.write_metrics, accept)
        return Response(body, headers={"Content-Type": media_type})

    return [show_metrics]
