"""Pages of other origins: none may ask, unless its exact origin was named. Source: WHATWG Fetch, "CORS protocol".

What comes in: ASGI. What goes out: the answers to preflights, which carry no key and are no business of the gate, and the
headers by which a browser shows a page what was answered. Nothing a request says is sent back but a named origin.
"""

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.errors import SettingsError
from gateway.web.answers import Receive, Scope, Send
from gateway.web.visit import find_visit

KEPT_S: Final = 600
"""How long a browser need not ask again."""
_MAY: Final = (
    (b"access-control-allow-methods", b"GET, POST, DELETE"),
    (
        b"access-control-allow-headers",
        b"authorization, x-api-key, content-type, idempotency-key, prefer, last-event-id, if-none-match, x-request-id",
    ),
    (b"access-control-max-age", b"%d" % KEPT_S),
    (b"content-length", b"0"),
)
_EXPOSED: Final = (
    b"access-control-expose-headers",
    b"location, etag, retry-after, idempotency-replayed, preference-applied, gateway-digest, gateway-generation, x-request-id",
)
_VARY: Final = (b"vary", b"origin")


class Cors:
    """Lets the pages of named origins ask."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], *, origins: Iterable[str]) -> None:
        self._app = app
        self._origins = frozenset(each.encode() for each in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        fields = find_visit(scope).fields
        origin = fields.get(b"origin", b"")
        marks = [_VARY] if origin not in self._origins else [_VARY, (b"access-control-allow-origin", origin), _EXPOSED]
        is_preflight = scope.get("method") == "OPTIONS" and fields.get(b"access-control-request-method")

        async def send_marked(message: Any) -> None:
            if message["type"] != "http.response.body":
                message["headers"] = [*message["headers"], *marks]
            await send(message)

        if not is_preflight:
            await self._app(scope, receive, send_marked)
            return
        headers = _MAY if origin in self._origins else ()
        await send_marked({"type": "http.response.start", "status": HTTPStatus.NO_CONTENT, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def read_origins(text: str) -> tuple[str, ...]:
    """Read a list of exact origins, as `https://app.example,http://127.0.0.1:3000`.

    Raises: SettingsError.
    """
    origins = tuple(each.strip() for each in text.split(",") if each.strip())
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or origin != f"{parts.scheme}://{parts.netloc}" or "*" in origin:
            raise SettingsError(f"GATEWAY_CORS_ORIGINS: {origin[:64]!r} is no exact origin, as https://app.example")
    return origins
