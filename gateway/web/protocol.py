"""uvicorn's protocol with one change: what an answer is made of leaves in one write, at the end of the loop's turn.

uvicorn writes head and body one after the other, and uvloop passes each on at once. Two writes are two system calls here
and two wake-ups at the client; and answers that become known together, as those of one round trip to Redis do, wake the
client one by one. That was an eighth of all that a launch costs.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HELD_BYTES = 65_536
"""Beyond that the rest of a turn does not wait, so that a slow client is felt."""


class OneWriteProtocol(HttpToolsProtocol):
    """Serves one connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Stand between uvicorn and its transport."""
        super().connection_made(cast("asyncio.Transport", _Gathering(transport, self.loop)))


class _Gathering:
    """A transport that gathers what is written during one turn of the loop."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self.is_closing = transport.is_closing  # asked at every answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held += data
        if len(self._held) > MAX_HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():
            self._transport.write(held)

    def close(self) -> None:
        self.flush()
        self._transport.close()
