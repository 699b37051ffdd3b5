"""What two servers could read differently is refused, on a connection that ends there. Source: RFC 9112, section 11."""

import asyncio
from typing import Any

import pytest

from tests.web.conftest import connect_to, serving

REFUSED = {
    "a length and an encoding": b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an encoding and a length": b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "the same length twice": b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths": b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a list of lengths": b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\n{}",
    "a length with a sign": b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n{}",
    "a negative length": b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: -2\r\n\r\n{}",
    "a length in another base": b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0x2\r\n\r\n{}",
    "an empty length": b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n{}",
    "a length beyond all numbers": b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n{}",
    "a folded header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "a folded encoding": b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: a\n\n",
    "one bare line feed": b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "a bare carriage return": b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
    "a bare line feed behind a chunk size": b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n",
    "a chunk size in words": b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk size beyond all numbers": b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "the encoding twice": b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no encoding by name": b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    "two encodings": b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "another encoding behind chunks": b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "an encoding that is like chunked": b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "an encoding behind a control character": b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a URL of another host": b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "a URL with a user": b"GET http://b@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "a tunnel": b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a space in the path": b"GET / x HTTP/1.1\r\nHost: a\r\n\r\n",
    "a NUL in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    "a name that is none": b"GET / HTTP/1.1\r\nHost: a\r\nX(: a\r\n\r\n",
    "a space before the first name": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "another version": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a length as a trailer": b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
    "a method in small letters": b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
}
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


class App:
    """Reads whole requests, and remembers them."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.headers: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
        self.paths.append(scope["path"])
        self.headers = [name for name, _ in scope["headers"]]
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})


async def test_what_is_not_clear_is_refused_and_nothing_behind_it_is_served() -> None:
    """400 as a problem, and the end of the connection."""
    app = App()
    answers: dict[str, bytes] = {}
    async with serving(app) as port:
        for name, raw in REFUSED.items():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(raw + NEXT)
            answers[name] = await asyncio.wait_for(reader.read(), 5)
            writer.close()

    assert {} == {name: each for name, each in answers.items() if not is_refusal(each)}
    assert [] == app.paths


def is_refusal(answer: bytes) -> bool:
    """Tell whether an answer is one problem, and says that it is the last."""
    is_last = 1 == answer.count(b"HTTP/1.1 ") and b"connection: close" in answer
    return is_last and answer.startswith(b"HTTP/1.1 400 ") and b'"code":"bad_request"' in answer


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", "/", id="HTTP/1.0 without a host"),
        pytest.param(b"GET http://A/x HTTP/1.1\r\nHost: a\r\n\r\n", "/x", id="a URL of this host"),
        pytest.param(b"\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", "/x", id="empty lines before a request"),
        pytest.param(b"GET //b/x HTTP/1.1\r\nHost: a\r\n\r\n", "//b/x", id="a path like a host"),
        pytest.param(CHUNKED + b"2;a=b\r\n{}\r\n0\r\n\r\n", "/", id="a chunk that says more"),
    ],
)
async def test_what_is_clear_is_served(raw: bytes, path: str) -> None:
    """Though it is rare."""
    app = App()
    async with connect_to(app) as (reader, writer):
        writer.write(raw)
        answer = await reader.readuntil(b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 204 ")
    assert [path] == app.paths


@pytest.mark.parametrize("raw", [b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", b"GET /\r\n\r\n"], ids=["2.0", "0.9"])
async def test_another_version_is_told_so(raw: bytes) -> None:
    """505."""
    async with connect_to(App()) as (reader, writer):
        writer.write(raw)

        assert (await reader.read()).startswith(b"HTTP/1.1 505 ")


@pytest.mark.parametrize("rest", [b"2;", b"0\r\nX: "], ids=["an extension", "a trailer"])
async def test_chunks_that_say_more_than_they_carry_are_refused(rest: bytes) -> None:
    """No memory nor time is spent on what nobody reads."""
    app = App()
    async with connect_to(app) as (reader, writer):
        writer.write(CHUNKED + rest)
        for _ in range(8):
            writer.write(b"a" * 65_536)
        answer = await reader.readuntil(b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert [] == app.paths


async def test_a_trailer_is_no_header() -> None:
    """Whoever stands in front has not looked at it."""
    app = App()
    async with connect_to(app) as (reader, writer):
        writer.write(CHUNKED + b"0\r\nX-API-Key: stolen\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")

    assert [b"host", b"transfer-encoding"] == app.headers


async def test_a_request_to_speak_something_else_is_the_last_one() -> None:
    """It is answered as if it had not asked, and what comes behind it is read by nobody."""
    app = App()
    async with connect_to(app) as (reader, writer):
        writer.write(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + NEXT)
        answer = await reader.read()

    assert 1 == answer.count(b"HTTP/1.1 204 ")
    assert ["/x"] == app.paths
