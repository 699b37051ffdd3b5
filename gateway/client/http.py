"""Requests to one gateway, and nothing else: the only module of the client that opens a connection.

What comes in: a path, and what goes with it. What goes out: the body of an answer that is no failure, or the lines of a
stream. It speaks to the named host directly, past any proxy of the environment, follows no redirect (a key must not
reach another host), and trusts the certificates that the machine trusts. The standard library's client is enough for
that, and takes a fifth of the time that httpx takes to import: a command is over in the time of its request.
"""

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import NamedTuple, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from gateway import __version__
from gateway.client.answers import Problem
from gateway.client.errors import AwayError, BadUrlError, RefusedError, StrangeAnswerError

CONNECT_S = 5.0
TIMEOUT_S = 15.0
"""Longest silence within an answer; a gateway itself answers within seconds."""
SILENCE_S = 40.0
"""Longest silence of a stream: a heartbeat comes every 15 s."""
MAX_BYTES = 64 * 1024 * 1024
T = TypeVar("T")


class Base(NamedTuple):
    """Where a gateway is."""

    is_secure: bool
    host: str
    port: int | None
    path: str
    """What every path begins with: that of the URL, then the prefix."""
    url: str
    """For messages."""


class _Request(NamedTuple):
    method: str
    target: str
    body: bytes | None
    headers: dict[str, str]

    def __repr__(self) -> str:
        """Name the request without its params and its key."""
        return f"_Request({self.method!r}, {self.target!r})"


def decode(body: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Read an answer.

    Raises: StrangeAnswerError.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StrangeAnswerError(f"the answer is none of a gateway's: {error}") from error


def read_base(url: str, prefix: str) -> Base:
    """Read the URL of a gateway.

    Raises: BadUrlError.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadUrlError(f"GATEWAY_URL or --url is no URL: {error}") from error
    if parts.username is not None or parts.password is not None:
        raise BadUrlError("the URL holds a user or a password; set GATEWAY_API_KEY to say who you are")
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise BadUrlError(f"{url!r} is no URL of a gateway, as http://127.0.0.1:8000")
    path = f"{parts.path.rstrip('/')}/{prefix.strip('/')}".rstrip("/")
    return Base(
        is_secure=parts.scheme == "https",
        host=host,
        port=port,
        path=quote(path, safe="/%-._~"),
        url=f"{parts.scheme}://{parts.netloc}{path}",
    )


class Client:
    """One gateway; every call opens a connection of its own."""

    def __init__(self, base: Base, *, api_key: str = "", timeout_s: float = TIMEOUT_S) -> None:
        if not (api_key.isascii() and api_key.isprintable()):
            raise BadUrlError("GATEWAY_API_KEY holds characters that no header can have")
        self._base, self._timeout_s = base, timeout_s
        self.url = base.url
        self._headers = {"User-Agent": f"gateway/{__version__}", "Accept": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"

    def get(self, *path: str, **query: object) -> bytes:
        """Return the body of a GET.

        Shape: the steps of `path` follow the prefix; members of `query` that are None are left out.
        Raises: AwayError; StrangeAnswerError; RefusedError.
        """
        return self._call(self._make("GET", path, query=query))

    def delete(self, *path: str, **query: object) -> bytes:
        """Return the body of a DELETE, as `get` does."""
        return self._call(self._make("DELETE", path, query=query))

    def post(self, *path: str, body: object, headers: Mapping[str, str] | None = None, **query: object) -> bytes:
        """Return the body of a POST, as `get` does."""
        headers = {"Content-Type": "application/json", **(headers or {})}
        return self._call(self._make("POST", path, query=query, body=msgspec.json.encode(body), headers=headers))

    @contextmanager
    def stream(self, *path: str, headers: Mapping[str, str]) -> Iterator[Iterator[bytes] | None]:
        """Open an event stream; yield its lines as they come, until it is closed; None when there is nothing more to come.

        Raises: AwayError, also from the lines when the connection breaks; StrangeAnswerError; RefusedError.
        """
        asked = self._make("GET", path, headers={"Accept": "text/event-stream", **headers})
        with self._send(asked, timeout_s=SILENCE_S) as response:
            if response.status == HTTPStatus.NO_CONTENT:
                yield None
                return
            kind = response.headers.get_content_type()
            if response.status != HTTPStatus.OK or kind != "text/event-stream":
                self._judge(response, self._reach(lambda: response.read(MAX_BYTES)))
                raise StrangeAnswerError(f"what answers at {self.url} is no gateway: it sent no event stream")
            yield self._read_lines(response)

    def _call(self, asked: _Request) -> bytes:
        with self._send(asked, timeout_s=self._timeout_s) as response:
            content = self._reach(lambda: response.read(MAX_BYTES))
        self._judge(response, content)
        if response.headers.get_content_type() != "application/json":
            raise StrangeAnswerError(f"what answers at {self.url} is no gateway: it sent no JSON")
        return content

    def _make(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        query: Mapping[str, object] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> _Request:
        if not all(path):
            raise BadUrlError("an id or a name is empty")
        members = {name: _write(value) for name, value in (query or {}).items() if value is not None}
        target = "/".join([self._base.path, *(quote(step, safe="") for step in path)])
        target += f"?{urlencode(members)}" if members else ""
        return _Request(method, target, body, {**self._headers, **(headers or {})})

    @contextmanager
    def _send(self, asked: _Request, *, timeout_s: float) -> Iterator[HTTPResponse]:
        """Send one request; yield its answer, of which only the head has been read."""
        connection = self._connect(timeout_s)

        def send() -> HTTPResponse:
            connection.request(asked.method, asked.target, asked.body, asked.headers)
            return connection.getresponse()

        try:
            yield self._reach(send)
        finally:
            connection.close()

    def _connect(self, timeout_s: float) -> HTTPConnection:
        """Connect: when this fails, the gateway has read nothing."""
        base = self._base
        if base.is_secure:
            context = ssl.create_default_context()
            connection: HTTPConnection = HTTPSConnection(base.host, base.port, timeout=CONNECT_S, context=context)
        else:
            connection = HTTPConnection(base.host, base.port, timeout=CONNECT_S)
        self._reach(connection.connect, was_sent=False)
        connection.sock.settimeout(timeout_s)
        return connection

    def _read_lines(self, response: HTTPResponse) -> Iterator[bytes]:
        while line := self._reach(lambda: response.readline(MAX_BYTES)):
            yield line

    def _judge(self, response: HTTPResponse, content: bytes) -> None:
        """Raise what an answer means that is no success."""
        if HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
            return
        if response.status < HTTPStatus.BAD_REQUEST:
            where = response.headers.get("Location", "nowhere")
            raise StrangeAnswerError(f"what answers at {self.url} is no gateway: it points to {where[:200]!r}")
        raise _read_problem(response, content)

    def _reach(self, step: Callable[[], T], *, was_sent: bool = True) -> T:
        """Take one step on the connection, and translate how it fails."""
        try:
            return step()
        except (OSError, HTTPException) as error:
            raise AwayError(self.url, _explain(error), was_sent=was_sent) from error


def _read_problem(response: HTTPResponse, content: bytes) -> RefusedError:
    """Read a problem, or make one of the status line where something else than a gateway refused."""
    plain = Problem(title=response.reason, status=response.status)
    if response.headers.get_content_type() != "application/problem+json":
        return RefusedError(plain, body=b"")
    try:
        return RefusedError(msgspec.json.decode(content, type=Problem), body=content)
    except msgspec.DecodeError:
        return RefusedError(plain, body=b"")


def _write(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _explain(error: OSError | HTTPException) -> str:
    """Say in a few words why a connection failed."""
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError):
        return (error.strerror or str(error) or type(error).__name__).lower()
    return f"the answer broke off ({type(error).__name__})"
