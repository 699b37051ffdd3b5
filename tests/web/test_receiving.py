"""How long a request may take to arrive and how large its head may be: both sides of each edge."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gateway.metrics.cells import Cells
from gateway.metrics.meter import Meter
from gateway.metrics.sums import Sums
from gateway.web.entrance import Entrance, Seen
from gateway.web.heads import Limits
from gateway.web.origin import read_networks
from gateway.web.sweeping import Sweeper
from gateway.web.visit import REFUSE
from tests.web.conftest import connect_to, serving

LIMITS = Limits(receive_head_s=0.3, receive_body_s=0.3, max_head_bytes=1024, max_headers=10)
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"
BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
pytestmark = pytest.mark.timeout(20)


class App:
    """Answers once it has read a request, and once it may."""

    def __init__(self) -> None:
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.disconnected = asyncio.Event()

    async def __call__(self, _: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            self.disconnected.set()
            return
        await self.may_go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


def look_often() -> Sweeper:
    """Look after connections more often than once a second."""
    return Sweeper(LIMITS, every_s=0.02)


async def drip(writer: asyncio.StreamWriter, *pieces: bytes) -> None:
    """Send pieces one by one for ever, the last one again and again."""
    for piece in pieces:
        writer.write(piece)
    while not writer.is_closing():
        await asyncio.sleep(0.02)
        writer.write(pieces[-1])


@pytest.mark.parametrize(
    "pieces", [(HEAD, b"x"), (HEAD + b"X: ", b"y"), (BODY, b"x")], ids=["a name", "a value", "a body"]
)
async def test_a_request_that_comes_byte_by_byte_is_given_up(pieces: tuple[bytes, ...]) -> None:
    """408, then the end, though something comes all the time."""
    async with connect_to(App(), look_often()) as (reader, writer):
        dripping = asyncio.create_task(drip(writer, *pieces))
        answer = await reader.read(65_536)
        dripping.cancel()

    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b'"code":"request_timeout"' in answer


async def test_a_connection_that_is_idle_ends_one_that_waits_for_its_answer_does_not() -> None:
    """The time of what is kept alive begins behind each answer."""
    app = App()
    app.may_go_on.clear()
    async with serving(app, look_often(), timeout_keep_alive=0.3) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"\r\n")
        await asyncio.sleep(0.5)  # the sleep is what is tested
        app.may_go_on.set()
        first = await reader.readuntil(b"ok")
        writer.write(HEAD + b"\r\n")
        second, rest = await reader.readuntil(b"ok"), await reader.read()
        writer.close()

    assert [True, True] == [each.startswith(b"HTTP/1.1 200 OK") for each in (first, second)]
    assert b"" == rest


@pytest.mark.parametrize(("trusted", "is_third_served"), [("", False), ("127.0.0.0/8", True)])
async def test_an_address_has_only_so_many_connections(*, trusted: str, is_third_served: bool) -> None:
    """More are closed before they say anything, until one of them is; those of a trusted proxy are not counted."""
    sweeper = Sweeper(Limits(max_connections=2), trusted=read_networks(trusted))
    request = HEAD + b"\r\n"
    async with serving(App(), sweeper) as port, AsyncExitStack() as stack:

        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            writer.write(request)
            return reader, writer

        async def is_served(reader: asyncio.StreamReader) -> bool:
            try:
                return (await reader.read(65_536)).startswith(b"HTTP/1.1 200 ")
            except ConnectionResetError:
                return False

        (first, leaving), (second, _) = await connect(), await connect()
        served = [await is_served(first), await is_served(second), await is_served((await connect())[0])]
        leaving.close()
        while len(sweeper._connections) > 2 - (not is_third_served):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0)
        served.append(await is_served((await connect())[0]))

    assert [True, True, is_third_served, True] == served


async def test_the_app_hears_that_a_body_was_given_up() -> None:
    """It waits for the rest no longer."""
    app = App()
    async with connect_to(app, look_often()) as (reader, writer):
        writer.write(BODY + b"{")

        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        await asyncio.wait_for(app.disconnected.wait(), 5)


async def test_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    """Also one that says nothing but empty lines behind an answer."""
    async with connect_to(App(), look_often()) as (reader, writer):
        silent = await reader.read()
    async with connect_to(App(), look_often()) as (reader, writer):
        writer.write(HEAD + b"\r\n")
        answer = await reader.readuntil(b"ok")
        writer.write(b"\r\n")
        after = await reader.read()

    assert b"" == silent
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert after.startswith(b"HTTP/1.1 408 ")


async def test_who_waits_for_an_answer_is_left_alone() -> None:
    """However long it takes, and whatever was sent already behind the request."""
    app = App()
    app.may_go_on.clear()
    sweeper = look_often()
    async with connect_to(app, sweeper) as (reader, writer):
        writer.write(HEAD + b"\r\n" + BODY + b"x")
        await asyncio.sleep(3 * LIMITS.receive_body_s)
        writer.write(b"x" * 999)
        app.may_go_on.set()
        answers = await reader.readuntil(b"ok") + await reader.readuntil(b"ok")

    assert 2 == answers.count(b"HTTP/1.1 200 ")


def make_head(size: int, *, headers: int) -> bytes:
    """Make a head of a size, as it is counted, with so many headers."""
    lines = [b"host: a"] + [b"x: y"] * (headers - 2)
    rest = size - len(b"/") - sum(len(each) + 2 for each in lines) - len(b"z: \r\n")
    lines.append(b"z: " + b"z" * rest)
    return b"\r\n".join([b"GET / HTTP/1.1", *lines, b"", b""])


@pytest.mark.parametrize(
    ("size", "headers", "status"),
    [(1024, 3, b"200"), (1025, 3, b"431"), (500, 10, b"200"), (500, 11, b"431")],
)
async def test_a_head_has_bounds(size: int, headers: int, status: bytes) -> None:
    """In bytes and in headers; also where it comes in pieces."""
    raw = make_head(size, headers=headers)
    for at in (0, len(raw) // 2):
        async with connect_to(App(), look_often()) as (reader, writer):
            writer.write(raw[:at])
            await asyncio.sleep(0.02)
            writer.write(raw[at:])

            assert status == (await reader.readuntil(b"\r\n"))[9:12]


async def test_a_head_without_an_end_is_refused_when_it_is_too_large() -> None:
    """Nobody waits for the end of it; a body of that size is no head."""
    async with connect_to(App(), look_often()) as (reader, writer):
        writer.write(HEAD + b"X: " + b"x" * 2000)
        refused = await reader.read()
    async with connect_to(App(), look_often()) as (reader, writer):
        writer.write(BODY.replace(b"1000", b"3000") + b"x" * 3000 + BODY.replace(b"1000", b"3000")[:20])
        served = await reader.readuntil(b"ok")

    assert refused.startswith(b"HTTP/1.1 431 ")
    assert served.startswith(b"HTTP/1.1 200 ")


class Notes:
    """A log that keeps everything."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def note(self, seen: Seen) -> None:
        """Keep it."""
        self.seen.append(seen)


@pytest.mark.parametrize(
    ("raw", "method", "status", "code"),
    [
        pytest.param(b"nonsense\r\n\r\n", "OTHER", 400, "bad_request", id="no HTTP"),
        pytest.param(HEAD + b"Host: b\r\n\r\n", "OTHER", 400, "bad_request", id="two hosts"),
        pytest.param(HEAD + b"X: " + b"x" * 2000, "OTHER", 431, "request_header_fields_too_large", id="a large head"),
        pytest.param(HEAD + b"X: y", "OTHER", 408, "request_timeout", id="half a head"),
        pytest.param(BODY + b"{", "POST", 408, "request_timeout", id="half a body"),
    ],
)
async def test_what_the_server_refuses_is_seen_too(raw: bytes, method: str, status: int, code: str) -> None:
    """Once, by the metrics and the log, under the id that its answer carries; no route is believed of a head that is none."""
    notes, meter = Notes(), Meter(Cells())
    entrance = Entrance(App(), tally=meter, log=notes)
    async with connect_to(entrance, look_often(), state={REFUSE: entrance.refuse}) as (reader, writer):
        writer.write(HEAD + b"\r\n")
        await reader.readuntil(b"ok")
        entrance.marks = ((b"gateway-generation", b"7"), (b"connection", b"close"))
        writer.write(raw)
        answer = (await reader.read()).decode()

    [served, seen] = notes.seen
    counted = Sums().add_up(meter.cells.read())
    assert 200 == served.status
    assert (method, "unmatched", status, code) == (seen.method, seen.route, seen.status, seen.code)
    assert f"x-request-id: {seen.request_id}\r\n" in answer
    assert "gateway-generation: 7\r\n" in answer
    assert 1 == answer.count("connection: close")
    assert {(code,): (1.0,)} == counted["gateway_refusals"]
    assert {("GET", "unmatched", "2xx"), (method, "unmatched", "4xx")} == counted["gateway_http_request_seconds"].keys()
