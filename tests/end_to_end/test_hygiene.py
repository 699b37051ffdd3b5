"""What stands in answers beside what was asked for: raw bytes of a real gateway."""

import json
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from tests.guarded import Guarded

API = "/api/celery"
ODD = ("%0d%0aX-Evil:%201", "%00", "%1b[31m", "%c2%85", "*", "%7btag%7d", "a" * 8000)


def ask(url: str, path: str, *headers: str) -> tuple[list[str], bytes]:
    """Send a request as it stands; return the lines of the head of the answer, and its body."""
    parts = urlsplit(url)
    lines = [f"GET {path} HTTP/1.1", "Host: gateway", "Connection: close", *headers, "", ""]
    with socket.create_connection((parts.hostname, parts.port), 5) as raw:
        raw.sendall("\r\n".join(lines).encode("latin-1"))
        answer = b"".join(iter(lambda: raw.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n"), body


@pytest.mark.parametrize(
    "path",
    [
        f"{API}/tasks/{{}}",
        f"{API}/tasks/{{}}/events",
        f"{API}/tasks/types/{{}}",
        f"{API}/tasks/launch/{{}}",
        "/{}",
        f"{API}/tasks?tag={{}}",
    ],
)
def test_no_odd_word_of_a_path_gets_into_a_head_or_a_log(guarded: Guarded, path: str) -> None:
    """Every answer is one of ours, with the headers that are ours."""
    known = {
        "date", "content-type", "content-length", "gateway-digest", "gateway-generation", "x-content-type-options",
        "x-request-id", "connection", "allow", "www-authenticate", "etag", "cache-control", "vary",
    }  # fmt: skip
    for odd in ODD:
        for key in ([], [f"X-API-Key: {guarded.keys['viewers']}"]):
            head, body = ask(guarded.url, path.format(odd), *key)

            assert {each.partition(":")[0].lower() for each in head[1:]} <= known, head
            assert int(head[0].split()[1]) in {200, 400, 401, 404, 405, 422}, head
            assert json.loads(body) is not None
    lines = (guarded.file.parent / "gateway.log").read_bytes().splitlines()
    assert [] == [each for each in lines if each.startswith(b"X-Evil") or b"\x1b" in each or b"\x00" in each]


def test_what_a_header_says_is_not_said_again(guarded: Guarded) -> None:
    """Neither in the head nor in the body, but for a request id of a sound shape."""
    names = (
        "Origin",
        "Referer",
        "User-Agent",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "Idempotency-Key",
        "Prefer",
        "If-None-Match",
        "X-Request-ID",
        "Cookie",
    )
    canary = "canary<>\"'"
    for key in ("X-API-Key: " + guarded.keys["viewers"], "X-API-Key: " + canary, "Authorization: Basic " + canary):
        head, body = ask(guarded.url, f"{API}/tasks", key, *(f"{each}: {canary}" for each in names))

        assert "canary" not in "".join(head) + body.decode()
    head, _ = ask(guarded.url, "/health/live", "X-Request-ID: sound-1")
    assert "x-request-id: sound-1" in head


def test_no_answer_names_its_server_and_each_forbids_guessing(guarded: Guarded) -> None:
    """Those of the server itself included."""
    for path in ("/health/live", "/docs", f"{API}/tasks"):
        answer = httpx.get(guarded.url + path, headers={"X-API-Key": guarded.keys["admin"]})

        assert ("nosniff", False) == (answer.headers["x-content-type-options"], "server" in answer.headers)
    head, _ = ask(guarded.url, "/bad path")
    assert [] == [each for each in head if each.lower().startswith("server:")]


def test_the_docs_page_may_do_nothing_but_show(guarded: Guarded) -> None:
    """No script, style or frame of anybody else."""
    headers = httpx.get(f"{guarded.url}/docs").headers

    assert (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ) == headers["content-security-policy"]
    assert ("no-referrer", "same-origin") == (headers["referrer-policy"], headers["cross-origin-opener-policy"])


def test_what_differs_by_caller_is_kept_by_nobody_else(guarded: Guarded) -> None:
    """Proxies and browsers are told."""
    for path in (f"{API}/tasks", "/openapi.json"):
        headers = httpx.get(guarded.url + path, headers={"X-API-Key": guarded.keys["viewers"]}).headers

        assert ("private, no-cache", "Authorization, X-API-Key") == (headers["cache-control"], headers["vary"])
