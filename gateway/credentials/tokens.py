"""Bearer tokens of an issuer: JWTs, checked against its public keys.

What comes in: a token. What goes out: its caller. Signatures are the library's business; what is pinned here are algorithms,
issuer, audience and expiry. A token that was checked is remembered until it expires, or its issuer's keys change.
Source: RFC 8725, JSON Web Token Best Current Practices.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

import jwt
from msgspec import Struct

from gateway.access.caller import Caller
from gateway.access.claims import read_caller
from gateway.credentials.jwks import Jwks
from gateway.errors import SettingsError
from gateway.ports import Authentication
from gateway.settings import Settings

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""All that may be pinned: asymmetric ones."""
LEEWAY_S: Final = 30
"""How far the issuer's clock may be from ours."""
REMEMBERED: Final = 10_000
_DOTS: Final = 2
_JWT: Final = jwt.PyJWT(options={"enforce_minimum_key_length": True})


class _Checked(Struct, frozen=True):
    caller: Caller
    expires_at: float


class Tokens:
    """Knows callers by their tokens."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        """Pin what tokens have to say.

        Raises: SettingsError when that is not all said, or not safe.
        """
        if not (settings.token_issuer and settings.token_audience):
            raise SettingsError("GATEWAY_TOKEN_KEYS needs GATEWAY_TOKEN_ISSUER and GATEWAY_TOKEN_AUDIENCE beside it")
        self._algorithms = tuple(settings.token_algorithms.split(","))
        if odd := [each for each in self._algorithms if each not in ALGORITHMS]:
            raise SettingsError(f"GATEWAY_TOKEN_ALGORITHMS: {odd[0][:32]!r} is none of {', '.join(ALGORITHMS)}")
        self._settings = settings
        self._clock = clock
        self._keys = Jwks(settings.token_keys)
        self._checked: OrderedDict[bytes, _Checked] = OrderedDict()
        self._version = 0

    async def identify(self, credential: bytes) -> Caller | None:
        """Return whose token this is; None for one that is unknown, malformed or expired."""
        if credential.count(b".") != _DOTS:
            return None
        digest = blake2b(credential, digest_size=32).digest()
        known = self._checked.get(digest) if self._version == self._keys.version else None
        if known is not None:
            return known.caller if self._clock() < known.expires_at else None
        checked = await self._check(credential)
        if checked is None:
            return None
        self._remember(digest, checked)
        return checked.caller

    def describe(self) -> Authentication:
        """Return the state of the issuer's keys."""
        return Authentication(kinds=("tokens",), failure=self._keys.failure)

    async def watch(self) -> None:
        """Look at the issuer's keys again and again, until cancelled."""
        await self._keys.watch()

    def _remember(self, digest: bytes, checked: _Checked) -> None:
        if self._version != self._keys.version:
            self._checked.clear()
            self._version = self._keys.version
        self._checked[digest] = checked
        if len(self._checked) > REMEMBERED:
            self._checked.popitem(last=False)

    async def _check(self, credential: bytes) -> _Checked | None:
        try:
            header = jwt.get_unverified_header(credential)
            algorithm, key_id = header.get("alg"), header.get("kid", "")
            if algorithm not in self._algorithms or not isinstance(key_id, str):
                return None
            key = await self._keys.find(key_id)
            if key is None or key.algorithm_name != algorithm:
                return None
            return self._read(self._decode(credential, key, algorithm))
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            return None

    def _decode(self, credential: bytes, key: jwt.PyJWK, algorithm: str) -> dict[str, Any]:
        settings = self._settings
        claims: dict[str, Any] = _JWT.decode(
            credential,
            key.key,
            algorithms=[algorithm],
            issuer=settings.token_issuer,
            audience=settings.token_audience,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iss", "aud"]},
        )
        return claims

    def _read(self, claims: dict[str, Any]) -> _Checked | None:
        settings = self._settings
        caller = read_caller(claims, caller_claim=settings.token_caller_claim, roles_claim=settings.token_roles_claim)
        return None if caller is None else _Checked(caller, float(claims["exp"]) + LEEWAY_S)
