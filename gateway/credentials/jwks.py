"""The public keys of a token issuer, from a file or a URL: kept, and fetched again when they may have changed.

What comes in: where they are. What goes out: the key that a token names. Whatever is read there is judged first: keys of
known asymmetric kinds count, and nothing else; a set that cannot be read leaves the last one that could.
"""

import asyncio
import http.client
import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit

import jwt
import structlog

from gateway.errors import SettingsError
from gateway.files import read_plain_file

DEADLINE_S: Final = 2.0
FLOOR_S: Final = 10.0
"""Least time between two looks that tokens ask for: they may name any key, as often as somebody likes."""
POLL_S: Final = 300.0
"""Between two looks that nobody asks for: so long a key counts at most that its issuer has withdrawn."""
MAX_BYTES: Final = 1_048_576
MOST_KEYS: Final = 100
_KINDS: Final = frozenset({"RSA", "EC", "OKP"})
"""Never `oct`: a public text would then be the secret that tokens are made with."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_log = structlog.get_logger("gateway.credentials")


class _UnreadableError(Exception):
    """Raised when a set of keys cannot be read, or is none."""


class Jwks:
    """The keys of one issuer."""

    def __init__(self, source: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`source` is a path, or a URL of HTTPS; of HTTP on this machine only.

        Raises: SettingsError.
        """
        self._source = source
        self._clock = clock
        self._turn = asyncio.Lock()
        self._asked_at = float("-inf")
        self._content = b""
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._loading: asyncio.Future[tuple[bytes, dict[str, jwt.PyJWK]]] | None = None
        self.failure: str | None = None
        self.version = 0
        """Changes with the keys."""
        _check_source(source)

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """Return a key; one that is not known is looked for again, though not at every token."""
        if key_id not in self._keys:
            async with self._turn:
                if key_id not in self._keys and self._clock() - self._asked_at >= FLOOR_S:
                    await self._look()
        return self._keys.get(key_id)

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            async with self._turn:
                await self._look()
            await asyncio.sleep(FLOOR_S if self.failure else POLL_S)

    async def _look(self) -> None:
        self._asked_at = self._clock()
        try:
            content, keys = await self._load()
        except (_UnreadableError, TimeoutError) as error:
            failure = str(error) or f"no answer within {DEADLINE_S:g} s"
            if failure != self.failure:
                _log.error("token_keys_unreadable", source=self._source, detail=failure, keys=len(self._keys))
            self.failure = failure
            return
        self.failure = None
        if content != self._content:
            _log.info("token_keys_read", source=self._source, keys=len(keys))
            self._content, self._keys, self.version = content, keys, self.version + 1

    async def _load(self) -> tuple[bytes, dict[str, jwt.PyJWK]]:
        """Load the keys in a thread, of which there is never more than one, however slowly somebody answers."""
        if self._loading is None or self._loading.done():
            self._loading = asyncio.ensure_future(asyncio.to_thread(_load, self._source))
            self._loading.add_done_callback(_look_at)  # nobody may be there for it any more
        async with asyncio.timeout(DEADLINE_S):
            return await asyncio.shield(self._loading)


def _look_at(loading: asyncio.Future[Any]) -> None:
    if not loading.cancelled():
        loading.exception()


def _check_source(source: str) -> None:
    parts = urlsplit(source)
    is_plain = parts.scheme == "http" and parts.hostname not in _LOOPBACK
    if is_plain or parts.username or parts.password or (parts.scheme not in {"", "http", "https"}):
        raise SettingsError("GATEWAY_TOKEN_KEYS: wanted a file, or an https URL without a password in it")


def _load(source: str) -> tuple[bytes, dict[str, jwt.PyJWK]]:
    try:
        content = _fetch(source) if "://" in source else read_plain_file(Path(source), max_bytes=MAX_BYTES)[0]
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _UnreadableError(f"{type(error).__name__}: {error}"[:300]) from error
    if len(content) > MAX_BYTES:
        raise _UnreadableError(f"more than {MAX_BYTES} bytes")
    return content, _read_keys(content)


def _fetch(url: str) -> bytes:
    """Get a URL, and follow no redirect: keys come from where they are said to be, or not at all."""
    opener = urllib.request.build_opener(_NoRedirect())
    asked = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310 - the scheme was checked
    try:
        with opener.open(asked, timeout=DEADLINE_S) as answer:
            return _read_in_time(answer)
    except HTTPError as error:
        error.close()
        raise


def _read_in_time(answer: http.client.HTTPResponse) -> bytes:
    """Read a body, and give it up when it comes in drops."""
    until = time.monotonic() + DEADLINE_S
    parts: list[bytes] = []
    while sum(map(len, parts)) <= MAX_BYTES and (part := answer.read1(65_536)):
        parts.append(part)
        if time.monotonic() > until:
            raise TimeoutError
    return b"".join(parts)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Answer with no request: the redirect becomes the failure."""


def _read_keys(content: bytes) -> dict[str, jwt.PyJWK]:
    try:
        found = json.loads(content)["keys"]
        given = [each for each in found[:MOST_KEYS] if isinstance(each, dict) and each.get("kty") in _KINDS]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _UnreadableError("what stands there is no set of keys: an object with `keys`") from error
    keys: dict[str, jwt.PyJWK] = {}
    for each in given:
        key_id = each.get("kid", "")
        if each.get("use", "sig") != "sig" or not isinstance(key_id, str) or "d" in each:
            continue  # made for something else; and a private key that is public is nobody's
        try:
            keys[key_id] = jwt.PyJWK(each)
        except jwt.PyJWTError:
            continue
    if not keys:
        raise _UnreadableError("no usable key stands there")
    return keys
