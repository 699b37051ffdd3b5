"""The gate of a gateway with authentication: who asks is decided here, once for each request, and before anything else.

What comes in: ASGI. What goes out: 401 to whoever presents nothing that is known, always the same one; all others go on with
what their caller sees in the scope. Only headers are looked at: a key in a URL ends in the logs of every proxy.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from gateway.access.rights import POWERS, Power
from gateway.catalog.view import View, Views
from gateway.errors import ForbiddenError, GatewayError, UnknownCallerError
from gateway.ports import Authenticator
from gateway.web.answers import Receive, Scope, Send, send_answer
from gateway.web.problems import answer_error
from gateway.web.site import Site
from gateway.web.visit import Fields, Header, Visit, find_visit

OPEN: Final = "open"
"""Said of a route that anybody may use: it tells nothing of any task type, and a browser or a probe sends no key."""
KNOWN: Final = "known"
"""Said of a route for every caller that is known: it answers by what this one sees."""
RIGHTS: Final = frozenset({OPEN, KNOWN, *POWERS})
LONGEST_CREDENTIAL: Final = 8192
_BEARER: Final = b"bearer "
_CREDENTIALS: Final = frozenset({b"authorization", b"x-api-key"})


class Gate:
    """Lets through those who are known."""

    def __init__(
        self,
        site: Site,
        authenticator: Authenticator,
        behind: Callable[[Scope, Receive, Send], Awaitable[None]],
        *,
        open_paths: Iterable[str],
    ) -> None:
        self._authenticator = authenticator
        self.behind = behind
        self._open_paths = frozenset(open_paths)
        self._views = Views(site.catalog)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        visit = find_visit(scope)
        credential = find_credential(visit.fields, scope["headers"])
        caller = await self._authenticator.identify(credential) if credential else None
        if caller is not None:
            visit.view, visit.caller, visit.gate = self._views.find(caller), caller.id, self
        elif scope["path"].rstrip("/") not in self._open_paths:
            await send_answer(answer_error(UnknownCallerError(), scope=scope), scope, send)
            return
        await self.behind(scope, receive, send)

    async def knows_still(self, scope: Scope) -> bool:
        """Tell whether the caller of a request would be let in as the same once more."""
        visit = find_visit(scope)
        caller = await self._authenticator.identify(find_credential(visit.fields, scope["headers"]))
        return visit.view is not None and caller == visit.view.caller


async def is_known_still(scope: Scope) -> bool:
    """Tell of a request that lasts whether its key or token has neither expired, nor been revoked, nor got other roles."""
    gate: Gate | None = find_visit(scope).gate
    return gate is None or await gate.knows_still(scope)


def find_view(scope: Scope, site: Site) -> View:
    """Return what the caller of a request sees: with authentication nothing, unless the gate has said otherwise."""
    return choose_view(find_visit(scope), site)


def choose_view(visit: Visit, site: Site) -> View:
    """Return the same of a request whose record is at hand."""
    return visit.view or site.view


def find_credential(fields: Fields, headers: Sequence[Header]) -> bytes:
    """Find the one key or token that a request presents; nothing where there is none, more than one, or no such thing.

    Shape: `fields` are the same headers by name, of which fewer than headers say that some name comes twice.
    """
    if len(fields) < len(headers) and sum(name in _CREDENTIALS for name, _ in headers) > 1:
        return b""
    found, bearer = fields.get(b"x-api-key"), fields.get(b"authorization")
    if bearer is not None:
        found = _read_bearer(bearer) if found is None else None
    return b"" if found is None or len(found) > LONGEST_CREDENTIAL else found


def _read_bearer(value: bytes) -> bytes:
    return value[len(_BEARER) :].strip() if value[: len(_BEARER)].lower() == _BEARER else b""


def check_handlers(handlers: Iterable[BaseRouteHandler]) -> None:
    """Make sure that somebody decided who may use each route.

    Raises: GatewayError.
    """
    for handler in handlers:
        if handler.opt.get("right") not in RIGHTS:
            raise GatewayError(f"nobody has decided who may use {sorted(handler.paths)}")


def make_guard(site: Site) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]:
    """Make what the framework asks before each of its routes."""

    def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        """Let pass who may.

        Raises: UnknownCallerError; ForbiddenError.
        """
        right = handler.opt.get("right")
        if right == OPEN:
            return
        view = find_view(connection.scope, site)
        if view.caller.kind == "nobody":
            raise UnknownCallerError
        if right in POWERS:
            require_power(view, right)

    return guard


def require_power(view: View, power: Power) -> None:
    """Let pass who has a power.

    Raises: ForbiddenError.
    """
    if not view.grant.has(power):
        raise ForbiddenError(f"none of your roles gives you {power}")
