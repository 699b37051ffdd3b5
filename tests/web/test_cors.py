"""Pages of other origins: none, unless its exact origin was named."""

from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.backends.memory import MemoryBackend
from gateway.errors import SettingsError
from gateway.web.app import build_app
from gateway.web.cors import Cors, read_origins
from tests.web.conftest import FixedCallers, make_site

API = "/api/celery"
HOME = "https://app.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
STRANGERS = [
    "https://app.example.evil",
    "https://evil.app.example",
    "http://app.example",
    "https://app.example:444",
    "null",
]


@pytest.fixture
async def http(backend: MemoryBackend) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a guarded app that takes pages of one origin."""
    app = Cors(
        build_app(make_site(backend, is_guarded=True), FixedCallers()),
        origins=read_origins(f"{HOME}, http://[::1]:3000"),
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        yield client


async def test_a_page_of_a_named_origin_may_ask(http: httpx.AsyncClient) -> None:
    """Its preflight needs no key, its request does; a refusal can be read, too."""
    asked = await http.options(f"{API}/tasks", headers={"Origin": HOME, **PREFLIGHT})
    told = await http.get(f"{API}/tasks", headers={"Origin": HOME, "X-API-Key": "admin"})
    refused = await http.get(f"{API}/tasks", headers={"Origin": HOME})

    assert (204, 200, 401) == (asked.status_code, told.status_code, refused.status_code)
    assert [HOME] * 3 == [each.headers["access-control-allow-origin"] for each in (asked, told, refused)]
    assert "authorization" in asked.headers["access-control-allow-headers"]
    assert "location" in told.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in told.headers


@pytest.mark.parametrize("origin", STRANGERS)
async def test_a_page_of_any_other_may_not(http: httpx.AsyncClient, origin: str) -> None:
    """Not one that looks alike either; what it said is nowhere in the answer."""
    for method, headers in (("OPTIONS", PREFLIGHT), ("GET", {"X-API-Key": "admin"})):
        answer = await http.request(method, f"{API}/tasks", headers={"Origin": origin, **headers})

        assert [] == [each for each in answer.headers if each.startswith("access-control")]
        assert origin not in str(answer.headers)
        assert "origin" in answer.headers["vary"].lower()


@pytest.mark.parametrize(
    "text", ["*", "app.example", "https://*.example", "https://app.example/", "https://app.example/x", "file://"]
)
def test_what_is_no_exact_origin_is_refused_at_the_start(text: str) -> None:
    """No pattern, no path."""
    with pytest.raises(SettingsError, match=r"is no exact origin, as https://app.example$"):
        read_origins(text)
