"""How answers leave: in one write each, and nothing held back that somebody waits for."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.web.answers import Answer, send_answer
from gateway.web.sending import MAX_HELD_BYTES, Gathering, Turn
from tests.web.conftest import connect_to

BODY = b'{"answer": 42}'
LARGE = bytes(MAX_HELD_BYTES) + BODY


class App:
    """Answers `/stream` event by event, once it may, `/whole` by one message, and every other path at once."""

    def __init__(self) -> None:
        self.may_go_on = asyncio.Event()

    async def __call__(self, scope: Any, _: Any, send: Any) -> None:
        """Serve one request."""
        if scope["path"] == "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await self.may_go_on.wait()
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            await send({"type": "http.response.body"})
        elif scope["path"] == "/whole":
            await send_answer(Answer(200, BODY, headers={"X-Way": "whole"}), scope, send)
        else:
            body = LARGE if scope["path"] == "/large" else BODY
            length = (b"content-length", b"%d" % len(body))
            await send({"type": "http.response.start", "status": 200, "headers": [length]})
            await send({"type": "http.response.body", "body": body})


class Client:
    """A connection on which every piece is seen as it comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, app: App) -> None:
        self.app = app
        self.writer = writer
        self.reader = reader

    async def ask(self, method: str, path: str = "/") -> bytes:
        """Send a request; return the first piece of the answer."""
        self.writer.write(f"{method} {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        return await self.reader.read(65536)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A connection to a served app."""
    app = App()
    async with connect_to(app) as (reader, writer):
        yield Client(reader, writer, app)


@pytest.mark.parametrize("path", ["/", "/whole"])
async def test_an_answer_arrives_in_one_piece(client: Client, path: str) -> None:
    """Head and body leave in one write, every time."""
    pieces = [await client.ask("GET", path) for _ in range(50)]

    assert [BODY] * 50 == [piece.partition(b"\r\n\r\n")[2] for piece in pieces]


async def test_a_whole_answer_says_what_one_in_parts_says(client: Client) -> None:
    """Status, date, length and fields."""
    head = (await client.ask("GET", "/whole")).partition(b"\r\n\r\n")[0].split(b"\r\n")

    assert b"HTTP/1.1 200 OK" == head[0]
    assert head[1].startswith(b"date: ")
    assert {b"content-type: application/json", b"content-length: 14", b"x-way: whole"} <= set(head)


async def test_requests_that_come_together_are_answered_in_their_order(client: Client) -> None:
    """And where the client wants no more after the last one, the connection ends behind its answer."""
    ask = b"GET %b HTTP/1.1\r\nHost: test\r\n\r\n"
    client.writer.write(
        ask % b"/whole" + ask % b"/" + b"GET /whole HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )

    answers = (await client.reader.read()).split(BODY)

    assert [True, False, True] == [b"x-way: whole" in each for each in answers[:3]]
    assert [b""] == answers[3:]
    assert b"connection: close\r\n" in answers[2]


@pytest.mark.parametrize("value", ["a\r\nset-cookie: b", "a\nb", "a\0b"])
async def test_no_header_field_becomes_a_line_of_its_own(value: str) -> None:
    """Whatever a handler was talked into."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(ValueError, match="more than one line"):
        await send_answer(Answer(200, BODY, headers={"Location": value}), {}, send)
    assert [] == sent


async def test_what_cannot_be_written_holds_up_no_other_connection() -> None:
    """They leave at the end of the same turn."""
    sound, broken = asyncio.Event(), RuntimeError("broken")
    turn, loop = Turn(), asyncio.get_running_loop()
    Gathering(Transport(broken), loop, turn).write(b"x")
    Gathering(Transport(sound), loop, turn).write(b"x")

    await asyncio.wait_for(sound.wait(), 5)


class Transport(asyncio.Transport):
    """Writes, or breaks."""

    def __init__(self, outcome: asyncio.Event | RuntimeError) -> None:
        super().__init__()
        self._outcome = outcome

    def is_closing(self) -> bool:
        """It is open."""
        return False

    def write(self, _: Any) -> None:
        """Write."""
        if isinstance(self._outcome, RuntimeError):
            raise self._outcome
        self._outcome.set()


async def test_what_is_too_large_to_be_held_arrives_whole(client: Client) -> None:
    """In as many pieces as it takes, and nothing of it twice."""
    first = (await client.ask("GET", "/large")).partition(b"\r\n\r\n")[2]
    rest = await client.reader.readexactly(len(LARGE) - len(first))
    after = await client.ask("GET")

    assert LARGE == first + rest
    assert after.startswith(b"HTTP/1.1 200 OK")


async def test_a_stream_begins_before_its_first_event(client: Client) -> None:
    """Whoever follows a task knows at once that it is followed."""
    head = await client.ask("GET", "/stream")
    client.app.may_go_on.set()
    first = await client.reader.read(65536)

    assert head.startswith(b"HTTP/1.1 200 OK")
    assert head.endswith(b"\r\n\r\n")
    assert first.startswith(b"5\r\nfirst\r\n")


@pytest.mark.parametrize("path", ["/", "/whole"])
async def test_an_answer_without_body_is_not_held_back(client: Client, path: str) -> None:
    """The answer to a HEAD ends with its head; the connection serves on."""
    head = await client.ask("HEAD", path)
    after = await client.ask("GET")

    assert b"content-length: 14\r\n" in head
    assert head.endswith(b"\r\n\r\n")
    assert after.endswith(BODY)


async def test_the_last_answer_leaves_before_its_connection_is_closed(client: Client) -> None:
    """A request that is no HTTP is told so, then left."""
    client.writer.write(b"no such thing\r\n\r\n")
    answer, end = await client.reader.read(65536), await client.reader.read(65536)

    assert answer.startswith(b"HTTP/1.1 400 Bad Request")
    assert b"content-type: application/problem+json" in answer
    assert b'"detail":"this is not HTTP"' in answer
    assert b"" == end
