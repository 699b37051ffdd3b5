"""The documentation pages: Swagger UI from our own disk, so that they load with the network cut off.

The assets are those of the npm package swagger-ui-dist 5.35.0 (Apache-2.0), unchanged; `make docs-assets` renews them.
"""

from importlib.resources import files

import msgspec
from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from gateway.config.editor_schema import write_editor_schema
from gateway.web.openapi import write_openapi
from gateway.web.site import Site

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "start.js": "text/javascript",
    "favicon.png": "image/png",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Task gateway</title>
<link rel="icon" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""


def make_docs_handlers(site: Site) -> list[HTTPRouteHandler]:
    """Make `/openapi.json`, `/schema/tasks.json` and `/docs` of a site."""
    editor_schema = msgspec.json.encode(write_editor_schema())
    document = msgspec.json.encode(write_openapi(site.catalog, prefix=site.prefix))

    @get("/openapi.json")
    async def show_openapi() -> Response[bytes]:
        return Response(document, media_type="application/json")

    @get("/schema/tasks.json")
    async def show_editor_schema() -> Response[bytes]:
        return Response(editor_schema, media_type="application/schema+json")

    @get("/docs")
    async def show_docs() -> Response[str]:
        return Response(_PAGE, media_type=MediaType.HTML, headers=_HEADERS)

    return [
        show_openapi,
        show_editor_schema,
        show_docs,
        *(_make_asset_handler(name, kind) for name, kind in _ASSETS.items()),
    ]


def _make_asset_handler(name: str, media_type: str) -> HTTPRouteHandler:
    content = (files("gateway.web") / "assets" / name).read_bytes()
    headers = {**_HEADERS, "Cache-Control": "public, max-age=3600"}

    @get(f"/docs/{name}")
    async def show_asset() -> Response[bytes]:
        return Response(content, media_type=media_type, headers=headers)

    return show_asset
