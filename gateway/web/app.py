"""One catalog in, one ASGI app out; built aside, so that a reload can swap whole apps."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from litestar import HttpMethod, Litestar, Request, Response, route
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from gateway.ports import Authenticator
from gateway.web.answers import make_response
from gateway.web.audit import make_audit_handlers
from gateway.web.catalog import make_catalog_handlers
from gateway.web.config import make_config_handlers
from gateway.web.docs import make_docs_handlers
from gateway.web.door import TaskDoor
from gateway.web.following import make_follow_handlers
from gateway.web.gate import KNOWN, OPEN, Gate, check_handlers, make_guard
from gateway.web.health import make_health_handlers
from gateway.web.history import make_history_handlers
from gateway.web.launching import LaunchDoor
from gateway.web.metrics import make_metrics_handlers
from gateway.web.problems import answer_error, answer_status, refuse_method
from gateway.web.site import Site

_DETAILS = {
    HTTPStatus.NOT_FOUND: "no such page",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is larger than this gateway takes",
}


def build_app(site: Site, authenticator: Authenticator | None = None) -> LaunchDoor | Gate:
    """Build the app that serves a site: the routes that launch and follow stand before the framework, all others in it.

    Raises: nothing of ours; every failure of a request ends as a problem document.
    """
    handlers = [
        *make_catalog_handlers(site),
        *make_follow_handlers(site),
        *make_history_handlers(site),
        *make_config_handlers(site),
        *make_health_handlers(site),
        *make_metrics_handlers(site),
        *make_docs_handlers(site),
        *make_audit_handlers(site),
    ]
    check_handlers(handlers)
    open_paths = [path for each in handlers if each.opt["right"] == OPEN for path in each.paths]
    framework = Litestar(
        route_handlers=[*_make_options_handlers(handlers), *handlers],
        guards=[] if authenticator is None else [make_guard(site)],
        exception_handlers={Exception: _answer, HTTPStatus.INTERNAL_SERVER_ERROR: _answer},
        logging_config=None,
        openapi_config=None,
        request_max_body_size=site.bounds.max_body_bytes,
    )
    doors = LaunchDoor(site, TaskDoor(site, framework))
    if authenticator is None:
        return doors
    return Gate(site, authenticator, doors, open_paths=open_paths)


def _make_options_handlers(handlers: Iterable[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """Answer OPTIONS with all methods of a path: the framework's own answer names those of its first handler."""
    methods: dict[str, set[str]] = {}
    rights: dict[str, str] = {}
    for handler in handlers:
        for path in handler.paths:
            methods.setdefault(path, {"OPTIONS"}).update(handler.http_methods)
            rights[path] = OPEN if handler.opt["right"] == OPEN else KNOWN
    return [_make_options_handler(path, sorted(each), right=rights[path]) for path, each in methods.items()]


def _make_options_handler(path: str, methods: Iterable[str], *, right: str) -> HTTPRouteHandler:
    @route(path, http_method=HttpMethod.OPTIONS, status_code=HTTPStatus.NO_CONTENT, right=right)
    async def tell_methods() -> Response[None]:
        return Response(None, status_code=HTTPStatus.NO_CONTENT, headers={"Allow": ", ".join(methods)})

    return tell_methods


def _answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    scope = request.scope
    if not isinstance(error, HTTPException) or error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return make_response(answer_error(error, scope=scope))
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        return make_response(refuse_method(scope, allow=(error.headers or {})["allow"]))
    return make_response(answer_status(status, detail=_DETAILS.get(status, status.phrase), scope=scope))
