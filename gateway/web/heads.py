"""Heads of requests: what is too large, and what two servers could read differently.

What comes in: a head as the parser split it. What goes out: whether its body is chunked, or a refusal. The parser itself
refuses two lengths, a length beside an encoding, bare line feeds, folded headers and names or values that are none.
Source: RFC 9112, sections 3.2, 6.1 and 11.2.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from msgspec import Struct

Headers = Sequence[tuple[bytes, bytes]]
VERSIONS = frozenset({"1.0", "1.1"})
_LINE_OVERHEAD = 4
"""A colon, a space and the end of a line."""


class Limits(Struct, frozen=True, kw_only=True):
    """What a connection may take."""

    receive_head_s: float = 10.0
    receive_body_s: float = 30.0
    max_head_bytes: int = 32_768
    max_headers: int = 100
    max_connections: int = 4096
    """Of one address."""


class RefusedHeadError(Exception):
    """Raised for a head that is not served; it ends in the protocol, which closes the connection."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def check_head(
    url: bytes, headers: Headers, fields: Mapping[bytes, bytes], *, version: str, limits: Limits, is_large: bool
) -> bool:
    """Tell whether the body is chunked; `fields` are the headers by name, `is_large` says that the head may be larger than it may be.

    Raises: RefusedHeadError.
    """
    if version not in VERSIONS:
        raise RefusedHeadError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "this is neither HTTP/1.0 nor HTTP/1.1")
    if len(headers) > limits.max_headers:
        raise RefusedHeadError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request has too many headers")
    if is_large and _measure(url, headers) > limits.max_head_bytes:
        raise RefusedHeadError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head of the request is too large")
    is_named_twice = len(fields) < len(headers) and [name for name, _ in headers].count(b"host") > 1
    if is_named_twice or (b"host" not in fields and version != "1.0"):
        raise RefusedHeadError(HTTPStatus.BAD_REQUEST, "the request has no Host, or more than one")
    if not url.startswith(b"/"):
        _check_target(url, headers)
    return b"transfer-encoding" in fields and _check_encoding(headers, version)


def _measure(url: bytes, headers: Headers) -> int:
    return len(url) + sum(len(name) + len(value) + _LINE_OVERHEAD for name, value in headers)


def _check_target(url: bytes, headers: Headers) -> None:
    """Take a whole URL only if it names the host that the request names, too."""
    host = next((value for name, value in headers if name == b"host"), b"")
    try:
        parts = urlsplit(url.decode("ascii"))
    except ValueError:
        parts = urlsplit("")
    is_clear = parts.scheme in {"http", "https"} and parts.netloc.encode().lower() == host.strip().lower()
    if url != b"*" and not is_clear:
        raise RefusedHeadError(HTTPStatus.BAD_REQUEST, "the target of the request is not the path of this host")


def _check_encoding(headers: Headers, version: str) -> bool:
    """Take `chunked`, once and alone."""
    values = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if values != [b"chunked"] or version == "1.0":
        raise RefusedHeadError(HTTPStatus.BAD_REQUEST, "the only Transfer-Encoding is chunked, once, in HTTP/1.1")
    return True
