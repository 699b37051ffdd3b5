"""A loopback proxy that ails as networks do: slow, silent, cut off, reset, or without the reply that mattered.

What comes in: the port of a server. What goes out: a port in front of it, and the ailments as attributes, which count for
every byte that passes from then on. What is left to chance is drawn from a seed.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from gateway.demo.valkey import find_free_port

HOST = "127.0.0.1"
CHUNK = 65_536


class FaultProxy:
    """Passes bytes on between clients and one server, in a thread of its own."""

    def __init__(self, server_port: int, *, seed: int = 1) -> None:
        self.port = find_free_port(HOST)
        self.latency_s = 0.0
        """Added to every chunk, in both directions."""
        self.is_silent = False
        """A black hole: connections are accepted and stay, nothing passes."""
        self.is_refusing = False
        """New connections are closed at once."""
        self.cut_chance = 0.0
        """Of each chunk: the connection is closed instead."""
        self.reset_chance = 0.0
        """Of each chunk: the connection is reset instead."""
        self.dropped = 0
        """Replies dropped so far."""
        self._drop: tuple[bytes, int] | None = None
        self._seen = 0
        self._dice = random.Random(seed)  # noqa: S311 - a schedule, not a secret
        self._server_port = server_port
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def drop_replies(self, word: bytes, *, every: int) -> None:
        """Of the requests that hold `word`, let every so manieth reach the server and drop its reply."""
        self._drop = (word, every)

    def heal(self) -> None:
        """Be a wire again; connections that lost bytes are reset."""
        self.latency_s = self.cut_chance = self.reset_chance = 0.0
        self.is_silent = self.is_refusing = False
        self._drop = None
        self._call(lambda: [link.reset() for link in list(self._links) if link.has_lost])

    def cut(self) -> None:
        """Close every connection."""
        self._call(lambda: [link.close() for link in list(self._links)])

    @property
    def is_used(self) -> bool:
        """Whether anybody is connected through it."""
        return bool(self._links)

    def must_drop(self, request: bytes) -> bool:
        """Count a request; tell whether its reply is to be dropped."""
        if self._drop is None or self._drop[0] not in request:
            return False
        self._seen += 1
        is_due = self._seen % self._drop[1] == 0
        self.dropped += is_due
        return is_due

    def has_chance(self, chance: float) -> bool:
        """Draw."""
        return chance > 0 and self._dice.random() < chance

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.start_server(self._serve, HOST, self.port)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(5)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_refusing:
            writer.transport.abort()
            return
        try:
            upstream = await asyncio.open_connection(HOST, self._server_port)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(self, (reader, writer), upstream)
        self._links.add(link)
        try:
            with suppress(asyncio.CancelledError):  # at the end; asyncio's server would complain of it
                await link.run()
        finally:
            self._links.discard(link)

    def _call(self, call: Callable[[], object]) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (call(), done.set()))
        done.wait(5)

    async def _close(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports that were closed let go of their sockets


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """One connection through the proxy."""

    def __init__(self, proxy: FaultProxy, client: Stream, server: Stream) -> None:
        self.has_lost = False
        self._proxy = proxy
        self._client, self._server = client, server
        self._drops_next = False

    async def run(self) -> None:
        """Pass bytes on until one side has gone."""
        ways = [
            asyncio.create_task(self._pass_on(self._client[0], self._server[1], is_request=True)),
            asyncio.create_task(self._pass_on(self._server[0], self._client[1], is_request=False)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            self.close()

    def close(self) -> None:
        """Close both sides."""
        for _, writer in (self._client, self._server):
            writer.close()

    def reset(self) -> None:
        """Close both sides without a farewell."""
        for _, writer in (self._client, self._server):
            with suppress(OSError):
                link: socket.socket = writer.get_extra_info("socket")
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_request: bool) -> None:
        proxy = self._proxy
        with suppress(OSError):
            while chunk := await reader.read(CHUNK):
                if proxy.latency_s:
                    await asyncio.sleep(proxy.latency_s)
                if proxy.is_silent:
                    self.has_lost = True
                    continue
                if proxy.has_chance(proxy.cut_chance) or (not is_request and self._drops_next):
                    return
                if proxy.has_chance(proxy.reset_chance):
                    self.reset()
                    return
                if is_request:
                    self._drops_next = self._drops_next or proxy.must_drop(chunk)
                writer.write(chunk)
                await writer.drain()


@contextmanager
def proxied(url: str) -> Iterator[tuple[str, FaultProxy]]:
    """Put a proxy before the server of a URL; yield the URL of the proxy."""
    head, _, rest = url.rpartition(":")
    port, slash, tail = rest.partition("/")
    with FaultProxy(int(port)) as proxy:
        yield f"{head}:{proxy.port}{slash}{tail}", proxy
