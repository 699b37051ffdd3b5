"""Bearer tokens: what is pinned, what is refused, and what an issuer that is away or lies can do."""

import asyncio
import base64
import json
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.access.claims import read_caller
from gateway.credentials import jwks
from gateway.credentials.credentials import make_credentials
from gateway.credentials.jwks import Jwks
from gateway.credentials.tokens import Tokens
from gateway.errors import SettingsError
from gateway.settings import Settings, load

RSA = rsa.generate_private_key(65537, 2048)
WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it must be refused
EC = ec.generate_private_key(ec.SECP256R1())
CLAIMS = {"iss": "https://issuer", "aud": "gateway", "sub": "alice", "roles": ["operators"]}


def show(key: Any, kind: Any, **members: str) -> dict[str, Any]:
    """Write the public half of a key as its issuer does."""
    return json.loads(kind.to_jwk(key.public_key())) | members


KEYS = [
    show(RSA, jwt.algorithms.RSAAlgorithm, kid="r", use="sig", alg="RS256"),
    show(EC, jwt.algorithms.ECAlgorithm, kid="e"),
    show(WEAK, jwt.algorithms.RSAAlgorithm, kid="weak"),
    {"kty": "oct", "kid": "o", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"},
    show(RSA, jwt.algorithms.RSAAlgorithm, kid="other", use="enc"),
]


def sign(key: Any = RSA, algorithm: str = "RS256", kid: str | None = "r", **claims: Any) -> bytes:
    """Make a token; a claim of None is left out."""
    said = {**CLAIMS, "exp": int(time.time()) + 300, **claims}
    headers = {} if kid is None else {"kid": kid}
    left = {name: value for name, value in said.items() if value is not None}
    with warnings.catch_warnings(action="ignore"):  # one key is weak on purpose
        return jwt.encode(left, key, algorithm=algorithm, headers=headers).encode()


def put(path: Path, keys: list[dict[str, Any]]) -> None:
    """Have the issuer show other keys."""
    path.write_text(json.dumps({"keys": keys}))


def write_raw(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> bytes:
    """Make a token by hand."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return b".".join(base64.urlsafe_b64encode(each).rstrip(b"=") for each in parts)


def make_settings(source: str, **others: str) -> Settings:
    """Say which issuer is trusted."""
    given = {"token_keys": source, "token_issuer": "https://issuer", "token_audience": "gateway"} | others
    return load({f"GATEWAY_{name.upper()}": value for name, value in given.items()})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The keys of the issuer."""
    path = tmp_path / "jwks.json"
    put(path, KEYS)
    return path


@pytest.mark.parametrize(("key", "algorithm", "kid"), [(RSA, "RS256", "r"), (EC, "ES256", "e")])
async def test_a_token_of_the_issuer_names_its_caller(file: Path, key: Any, algorithm: str, kid: str) -> None:
    """With the roles of the claim."""
    caller = await Tokens(make_settings(str(file))).identify(sign(key, algorithm, kid))

    assert caller is not None
    assert ("token:alice", {"operators"}, "token") == (caller.id, caller.roles, caller.kind)


PUBLIC = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
NOW = int(time.time())
SOUND = {**CLAIMS, "exp": NOW + 9999}


def confuse(secret: bytes) -> bytes:
    """Sign with HMAC and a public text, as in the attack on libraries that let the token choose."""
    token = write_raw({"alg": "HS256", "kid": "r"}, SOUND)
    head = token.rpartition(b".")[0]
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    return head + b"." + base64.urlsafe_b64encode(signature.sign(head, secret)).rstrip(b"=")


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(write_raw({"alg": "none", "kid": "r"}, SOUND), id="none"),
        pytest.param(write_raw({"alg": "None"}, SOUND), id="none in other letters"),
        pytest.param(confuse(PUBLIC), id="the public key as a secret"),
        pytest.param(confuse(b"secret-secret-secret-secret-secret"), id="a symmetric key of the set"),
        pytest.param(sign(EC, "ES256", "r"), id="another key than is named"),
        pytest.param(sign(RSA, "RS512"), id="an algorithm that is not pinned"),
        pytest.param(sign(RSA, "PS256"), id="an algorithm that the key is not for"),
        pytest.param(sign(WEAK, kid="weak"), id="a weak key"),
        pytest.param(sign(kid="other"), id="a key for something else"),
        pytest.param(sign(kid="nobody's"), id="an unknown key"),
        pytest.param(sign(kid=None), id="no key"),
        pytest.param(sign(iss="https://issuer.evil"), id="another issuer"),
        pytest.param(sign(iss=None), id="no issuer"),
        pytest.param(sign(aud="other"), id="another audience"),
        pytest.param(sign(aud=None), id="no audience"),
        pytest.param(sign(exp=NOW - 60), id="expired"),
        pytest.param(sign(exp=None), id="for ever"),
        pytest.param(sign(nbf=NOW + 600), id="not yet"),
        pytest.param(sign(sub=None), id="nobody"),
        pytest.param(sign(sub="a\r\nb"), id="a name of two lines"),
        pytest.param(sign(sub="a" * 129), id="a long name"),
        pytest.param(sign()[:-9] + b"AAAAAAAAA", id="another signature"),
        pytest.param(b"..", id="dots"),
        pytest.param(b"\xff.\xff.\xff", id="no text"),
        pytest.param(b"a" * 8000, id="no dots"),
        pytest.param(write_raw({"alg": ["RS256"], "kid": {}}, SOUND), id="odd header"),
    ],
)
async def test_what_is_no_token_of_the_issuer_is_nobodys(file: Path, token: bytes) -> None:
    """And no error."""
    assert await Tokens(make_settings(str(file))).identify(token) is None


async def test_a_token_is_checked_once_and_ends_when_it_says(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was checked is remembered for a bounded number of tokens, never longer than it is valid."""
    now = time.time()
    moments = iter([now, now + 500])
    tokens = Tokens(make_settings(str(file)), clock=lambda: next(moments))
    token = sign()
    assert await tokens.identify(token) is not None
    monkeypatch.setattr(tokens, "_check", None)  # it would be called

    assert [True, False] == [await tokens.identify(token) is not None for _ in range(2)]


async def test_a_withdrawn_key_ends_its_tokens(file: Path) -> None:
    """Also those that were checked before."""
    tokens = Tokens(make_settings(str(file)))
    token = sign()
    before = await tokens.identify(token)
    put(file, KEYS[1:2])
    tokens._keys._asked_at = float("-inf")

    assert await tokens.identify(sign(EC, "ES256", "new")) is None
    assert (True, None) == (before is not None, await tokens.identify(token))


async def test_unknown_keys_are_looked_for_at_most_now_and_then(file: Path) -> None:
    """However many tokens name them; a new key is found all the same."""
    moment = 0.0
    keys = Jwks(str(file), clock=lambda: moment)
    assert await keys.find("r") is not None
    put(file, [*KEYS, KEYS[0] | {"kid": "new"}])

    early = [await keys.find(f"new{n or ''}") for n in range(9)]
    moment = jwks.FLOOR_S

    assert [None] * 9 == early
    assert await keys.find("new") is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b'{"keys": 1}',
        b'{"keys": [{"kty": "oct", "k": "AA"}]}',
        b"[" * 99_999,
        b"\xff",
        b" " * 1_048_577,
    ],
    ids=range(8),
)
async def test_a_set_that_is_none_leaves_the_last_one(file: Path, content: bytes) -> None:
    """And is shown."""
    tokens = Tokens(make_settings(str(file)))
    token = sign()
    await tokens.identify(token)
    await asyncio.to_thread(file.write_bytes, content)
    tokens._keys._asked_at = float("-inf")
    await tokens.identify(sign(kid="new"))

    assert await tokens.identify(token) is not None
    assert tokens.describe().failure


@contextmanager
def serve(answer: Any) -> Iterator[str]:
    """Serve an issuer's keys as `answer` does it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/jwks"
    finally:
        server.shutdown()
        server.server_close()


def _tell(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(json.dumps({"keys": KEYS}).encode())


def _redirect(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", "/elsewhere" if handler.path == "/jwks" else "/jwks")
    handler.end_headers()


def _fail(handler: BaseHTTPRequestHandler) -> None:
    handler.send_error(500)


async def test_keys_come_from_a_url() -> None:
    """And from no other: a redirect is a failure."""
    found = {}
    for name, answer in (("told", _tell), ("redirected", _redirect), ("failed", _fail)):
        with serve(answer) as url:
            tokens = Tokens(make_settings(url))
            found[name] = (await tokens.identify(sign()) is not None, tokens.describe().failure)

    assert (True, None) == found["told"]
    assert (False, "HTTPError: HTTP Error 302: Found") == found["redirected"]
    assert (False, "HTTPError: HTTP Error 500: Internal Server Error") == found["failed"]


async def test_an_issuer_that_says_nothing_holds_up_nothing_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline ends the wait; there is one thread, however many tokens come."""
    monkeypatch.setattr(jwks, "DEADLINE_S", 0.2)
    released = threading.Event()
    asked: list[int] = []

    def hang(handler: BaseHTTPRequestHandler) -> None:
        asked.append(1)
        released.wait(5)
        _fail(handler)

    with serve(hang) as url:
        tokens = Tokens(make_settings(url))
        began = time.monotonic()
        for _ in range(5):
            tokens._keys._asked_at = float("-inf")
            assert await tokens.identify(sign()) is None
        waited_s = time.monotonic() - began
        released.set()
        await asyncio.wait([tokens._keys._loading])  # type: ignore[list-item] # there is one

    assert waited_s < 2
    assert len(asked) <= 5
    assert tokens.describe().failure


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"token_issuer": ""}, "GATEWAY_TOKEN_KEYS needs GATEWAY_TOKEN_ISSUER and GATEWAY_TOKEN_AUDIENCE beside it"),
        ({"token_audience": ""}, "GATEWAY_TOKEN_KEYS needs GATEWAY_TOKEN_ISSUER and GATEWAY_TOKEN_AUDIENCE beside it"),
        ({"token_algorithms": "RS256,HS256"}, "GATEWAY_TOKEN_ALGORITHMS: 'HS256' is none of "),
        ({"token_algorithms": "none"}, "GATEWAY_TOKEN_ALGORITHMS: 'none' is none of "),
        ({"token_keys": "http://issuer/jwks"}, "GATEWAY_TOKEN_KEYS: wanted a file, or an https URL without a password in it"),
        ({"token_keys": "https://a:b@issuer/jwks"}, "GATEWAY_TOKEN_KEYS: wanted a file, or an https URL without a password in it"),
        ({"token_keys": "ftp://issuer/jwks"}, "GATEWAY_TOKEN_KEYS: wanted a file, or an https URL without a password in it"),
    ],
)  # fmt: skip
def test_settings_that_are_not_safe_are_refused(settings: dict[str, str], complaint: str) -> None:
    """At the start."""
    with pytest.raises(SettingsError) as caught:
        make_credentials(make_settings(**{"source": "jwks.json"} | settings))

    assert str(caught.value).startswith(complaint)


@pytest.mark.parametrize(
    ("claims", "path", "roles"),
    [
        ({"roles": ["a", "b"]}, "roles", {"a", "b"}),
        ({"scope": "a b"}, "scope", {"a", "b"}),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", {"a"}),
        ({"https://x.example/roles": ["a"]}, "https://x.example/roles", {"a"}),
        ({"roles": ["A B", "a\n", 1, None, "a" * 65, "ok"]}, "roles", {"ok"}),
        ({"roles": {"a": 1}}, "roles", set()),
        ({"roles": [f"r{n}" for n in range(999)]}, "roles", {f"r{n}" for n in range(100)}),
        ({}, "a.b.c", set()),
        ({"a": 1}, "a.b", set()),
    ],
)
def test_roles_are_read_from_a_claim(claims: dict[str, Any], path: str, roles: set[str]) -> None:
    """A list or a text, at any depth; what can be no role of a file is none."""
    caller = read_caller({"sub": "a"} | claims, caller_claim="sub", roles_claim=path)

    assert caller is not None
    assert roles == caller.roles


async def test_keys_and_tokens_go_side_by_side(file: Path, tmp_path: Path) -> None:
    """Neither is ever taken for the other."""
    (tmp_path / "keys").touch(0o600)
    both = make_credentials(make_settings(str(file), api_keys_file=str(tmp_path / "keys")))

    assert both is not None
    assert await both.identify(sign()) is not None
    assert await both.identify(b"tgk_" + sign()) is None
    assert (("keys", "tokens"), 0) == (both.describe().kinds, both.describe().keys)
