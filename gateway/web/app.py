"""One catalog in, one Litestar app out; built aside, so that a reload can swap whole apps."""

from http import HTTPStatus

from litestar import Litestar

from gateway.web.catalog import make_catalog_handlers
from gateway.web.docs import make_docs_handlers
from gateway.web.following import make_follow_handlers
from gateway.web.health import make_health_handlers
from gateway.web.launching import make_launch_handlers
from gateway.web.problems import answer_error
from gateway.web.site import Site


def build_app(site: Site) -> Litestar:
    """Build the app that serves a site.

    Raises: nothing of ours; every failure of a request ends as a problem document.
    """
    return Litestar(
        route_handlers=[
            *make_catalog_handlers(site),
            *make_launch_handlers(site),
            *make_follow_handlers(site),
            *make_health_handlers(site),
            *make_docs_handlers(site),
        ],
        exception_handlers={Exception: answer_error, HTTPStatus.INTERNAL_SERVER_ERROR: answer_error},
        logging_config=None,
        openapi_config=None,
        request_max_body_size=site.max_body_bytes,
    )
