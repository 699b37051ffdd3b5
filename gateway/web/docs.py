"""The documentation pages: Swagger UI from our own disk, so that they load with the network cut off.

The assets are those of the npm package swagger-ui-dist 5.35.0 (Apache-2.0), unchanged; `make docs-assets` renews them.
"""

import asyncio
from importlib.resources import files
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler

from gateway.catalog.view import MOST_VIEWS, View
from gateway.config.editor_schema import write_editor_schema
from gateway.web.gate import KNOWN, OPEN, find_view
from gateway.web.openapi import write_openapi
from gateway.web.site import PRIVATE, Site

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
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
@@FORM@@<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""


_FORM = """<form id="key">
<label>API key or token <input name="key" type="password" autocomplete="off" spellcheck="false" required></label>
<button>Show what it may do</button>
</form>
"""
"""Asked of whoever looks at a gateway with authentication: a browser sends no key by itself."""


class _Documents:
    """The OpenAPI documents of a catalog, one for each set of roles, as each sees other task types."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._written: dict[frozenset[str], bytes] = {site.view.caller.roles: self._write(site.view)}

    async def find(self, view: View) -> bytes:
        """Return the document of a view; it is written off the loop, as a large one takes a while."""
        roles = view.caller.roles
        if roles not in self._written:
            if len(self._written) >= MOST_VIEWS:
                self._written.clear()
            self._written[roles] = await asyncio.to_thread(self._write, view)
        return self._written[roles]

    def _write(self, view: View) -> bytes:
        return msgspec.json.encode(
            write_openapi(view.catalog, prefix=self._site.prefix, is_guarded=self._site.is_guarded)
        )


def make_docs_handlers(site: Site) -> list[HTTPRouteHandler]:
    """Make `/openapi.json`, `/schema/tasks.json` and `/docs` of a site."""
    editor_schema = msgspec.json.encode(write_editor_schema())
    documents = _Documents(site)
    page = _PAGE.replace("@@FORM@@", _FORM if site.is_guarded else "")

    @get("/openapi.json", right=KNOWN)
    async def show_openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
        document = await documents.find(find_view(request.scope, site))
        return Response(document, media_type="application/json", headers=PRIVATE)

    @get("/schema/tasks.json", right=OPEN)
    async def show_editor_schema() -> Response[bytes]:
        return Response(editor_schema, media_type="application/schema+json")

    @get("/docs", right=OPEN)
    async def show_docs() -> Response[str]:
        return Response(page, media_type=MediaType.HTML, headers=_HEADERS)

    return [
        show_openapi,
        show_editor_schema,
        show_docs,
        *(_make_asset_handler(name, kind) for name, kind in _ASSETS.items()),
    ]


def _make_asset_handler(name: str, media_type: str) -> HTTPRouteHandler:
    content = (files("gateway.web") / "assets" / name).read_bytes()
    headers = {**_HEADERS, "Cache-Control": "public, max-age=3600"}

    @get(f"/docs/{name}", right=OPEN)
    async def show_asset() -> Response[bytes]:
        return Response(content, media_type=media_type, headers=headers)

    return show_asset
