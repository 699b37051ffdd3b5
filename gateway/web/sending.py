"""How answers leave: a whole one in one write, and all that becomes known in one turn of the loop together.

uvicorn writes head and body one after the other, and looks twice at each header field with a regular expression; uvloop passes
each write on at once. Two writes are two system calls here and two wake-ups at the client; and answers that become known
together, as those of one round trip to Redis do, wake the client one by one. That was an eighth of all that a launch costs.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

MAX_HELD_BYTES = 65_536
"""Beyond that the rest of a turn does not wait, so that a slow client is felt."""
_LENGTH: Final = b"content-length"
_OTHERS: Final = frozenset({b"connection", b"transfer-encoding"})


class Sender:
    """Sends one answer: it writes a whole one itself, and leaves every other to uvicorn."""

    __slots__ = ("_cycle", "_done", "_start")

    def __init__(self, cycle: RequestResponseCycle, done: asyncio.Future[None]) -> None:
        """`done` is a future that is: what was written has not to be waited for."""
        self._cycle = cycle
        self._done = done
        self._start: Any = None

    def send(self, message: Any) -> Awaitable[None]:
        """Take a message; a head that tells how long its body is waits for that."""
        start = self._start
        if start is None:
            if message["type"] == "http.response.start" and _LENGTH in dict(message["headers"]):
                self._start = message
                return self._done
            return self._cycle.send(message)
        self._start = None
        if self._is_plain(start, message) and self._write(start, message.get("body", b"")):
            return self._done
        return self._send_both(start, message)

    def _is_plain(self, start: Any, message: Any) -> bool:
        """Tell whether an answer is whole, and has nothing that uvicorn has to decide; a client that is slow must be felt."""
        cycle, fields = self._cycle, dict(start["headers"])
        return (
            cycle.keep_alive
            and not (cycle.disconnected or cycle.response_started or cycle.access_log or cycle.flow.write_paused)
            and not message.get("more_body")
            and fields[_LENGTH] == b"%d" % len(message.get("body", b""))
            and cycle.scope["method"] != "HEAD"
            and _OTHERS.isdisjoint(fields)
        )

    def _write(self, start: Any, body: bytes) -> bool:
        """Write a whole answer; tell whether that could be done."""
        cycle = self._cycle
        fields = [*cycle.default_headers, *start["headers"]]
        head = b"\r\n".join(map(b": ".join, fields))
        if not head.count(b"\r") == head.count(b"\n") == len(fields) - 1 or b"\0" in head:
            return False  # a line in a field would be an answer of its own: uvicorn says what is wrong with it
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(b"%b%b\r\n\r\n%b" % (STATUS_LINE[start["status"]], head, body))
        cycle.message_event.set()
        cycle.on_response()
        return True

    async def _send_both(self, start: Any, message: Any) -> None:
        await self._cycle.send(start)
        await self._cycle.send(message)


class Gathering:
    """A transport that gathers what is written during one turn of the loop."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self.is_closing = transport.is_closing  # asked at every answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Take what is to be written, soon."""
        if not self._held:
            self._loop.call_soon(self.flush)
            self._held = data
        else:
            self._held += data
        if len(self._held) > MAX_HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():
            self._transport.write(held)

    def close(self) -> None:
        """Close the connection, behind what was gathered."""
        self.flush()
        self._transport.close()
