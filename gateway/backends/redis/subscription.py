"""Subscriptions to one Redis: any number of channels over one connection, which is opened again when it breaks.

What comes in: channels, and who hears of each. What goes out: every message, to its hearer, in the order of Redis; None where
messages may have been missed: when the connection breaks, and again when the new one listens.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.backends.changes.watch import Hear
from gateway.backends.redis.connection import blame
from gateway.errors import BackendError

SILENCE_S: Final = 5.0
"""After so long without a word the connection is asked whether it lives."""
PAUSE_S: Final = 0.5
"""Pause before a connection that broke is opened again."""
_CHANNEL: Final = b"subscribe"
_PATTERN: Final = b"psubscribe"
_ENDS: Final = {_CHANNEL: b"unsubscribe", _PATTERN: b"punsubscribe"}
_Topic = tuple[bytes, bytes]
"""The command that subscribes, with which Redis confirms too, and the name: a channel may be called as a pattern is."""
HearAny = Callable[[bytes, bytes | None], None]
"""Takes a channel and what was published on it; the pattern and None where that is no longer heard."""
_log = structlog.get_logger("gateway.changes")


class Subscription:
    """Listens on the channels of one Redis."""

    def __init__(self, client: Redis, *, deadline_s: float, failure: type[BackendError], what: str) -> None:
        """Take the client of one Redis; a failure of it is a `failure` of `what`."""
        self._pool = client.connection_pool
        self._deadline_s = deadline_s
        self._failure = failure
        self._what = what
        self._hearers: dict[bytes, Hear] = {}
        self._any_hearers: dict[bytes, HearAny] = {}
        self._confirmed: dict[_Topic, asyncio.Future[None]] = {}
        self._missed: set[_Topic] = set()
        """What was confirmed on a connection that broke, and is not yet on a new one."""
        self._pongs: deque[asyncio.Future[None] | None] = deque()
        self._outgoing: deque[tuple[Any, ...]] = deque()
        self._is_outgoing = asyncio.Event()
        self._is_failing = False

    async def add(self, channel: str, hear: Hear) -> None:
        """Listen on a channel; whatever is published after this has returned is heard.

        Raises: the failure, when Redis does not confirm in time; the channel is listened on all the same, once it can be.
        """
        name = channel.encode()
        self._hearers[name] = hear
        await self._subscribe((_CHANNEL, name))

    def remove(self, channel: str) -> None:
        """Listen on a channel no more."""
        name = channel.encode()
        self._hearers.pop(name, None)
        self._unsubscribe((_CHANNEL, name))

    async def add_pattern(self, pattern: str, hear: HearAny) -> None:
        """Listen on all channels of a pattern, as `add` does on one.

        Raises: the failure, when Redis does not confirm in time.
        """
        name = pattern.encode()
        self._any_hearers[name] = hear
        await self._subscribe((_PATTERN, name))

    def remove_pattern(self, pattern: str) -> None:
        """Listen on the channels of a pattern no more."""
        name = pattern.encode()
        self._any_hearers.pop(name, None)
        self._unsubscribe((_PATTERN, name))

    async def fence(self) -> None:
        """Return when everything that was published before this has been heard, or that it may have been missed.

        Raises: the failure, when Redis does not answer in time.
        """
        pong = asyncio.get_running_loop().create_future()
        self._pongs.append(pong)
        self._send("PING")
        await self._wait(pong)

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        while True:
            try:
                await self._keep()
            except (RedisError, OSError, TimeoutError) as error:
                if not self._is_failing:
                    _log.warning("subscription_lost", detail=str(blame(error, to=self._failure, what=self._what)))
                self._is_failing = True
            self._lose()
            await asyncio.sleep(PAUSE_S)

    async def _subscribe(self, topic: _Topic) -> None:
        if topic not in self._confirmed:
            self._confirmed[topic] = asyncio.get_running_loop().create_future()
            self._send(*topic)
        await self._wait(self._confirmed[topic])

    def _unsubscribe(self, topic: _Topic) -> None:
        kind, name = topic
        self._missed.discard(topic)
        if self._confirmed.pop(topic, None) is not None:
            self._send(_ENDS[kind], name)

    async def _wait(self, answer: asyncio.Future[None]) -> None:
        try:
            async with asyncio.timeout(self._deadline_s):
                await asyncio.shield(answer)
        except (TimeoutError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and not answer.cancelled():
                raise
            raise self._failure(f"{self._what} does not answer in time") from error

    def _send(self, *command: Any) -> None:
        self._outgoing.append(command)
        self._is_outgoing.set()

    async def _keep(self) -> None:
        connection = self._pool.make_connection()  # type: ignore[no-untyped-call] # redis-py left it out
        try:
            async with asyncio.timeout(self._deadline_s):
                await connection.connect()
            self._is_failing = False
            self._outgoing.clear()
            self._outgoing.extend(self._confirmed)
            self._outgoing.extend(("PING",) for _ in self._pongs)  # of those who asked meanwhile
            self._is_outgoing.set()
            await _run_until_one_ends(self._write(connection), self._read(connection))
        finally:
            await connection.disconnect(nowait=True)

    async def _write(self, connection: Any) -> None:
        try:
            while True:
                await self._is_outgoing.wait()
                self._is_outgoing.clear()
                commands = list(self._outgoing)
                self._outgoing.clear()
                if commands:
                    await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        finally:  # what is sent on a connection that has just broken makes the client open it again
            await connection.disconnect(nowait=True)

    async def _read(self, connection: Any) -> None:
        is_asked = False
        while True:
            message = await connection.read_response(timeout=SILENCE_S, disconnect_on_error=False)
            if message is not None:
                self._take(message)
            elif is_asked:
                raise TimeoutError
            else:
                self._pongs.append(None)
                self._send("PING")
            is_asked = message is None

    def _take(self, message: Any) -> None:
        """Hand on one message; a PONG is a plain word while no channel is subscribed."""
        if not isinstance(message, list) or message[0] == b"pong":
            pong = self._pongs.popleft() if self._pongs else None
            if pong is not None and not pong.done():
                pong.set_result(None)
        elif message[0] == b"message":
            if (hear := self._hearers.get(message[1])) is not None:
                hear(message[2])
        elif message[0] == b"pmessage":
            if (hear_any := self._any_hearers.get(message[1])) is not None:
                hear_any(message[2], message[3])
        elif message[0] in _ENDS:
            self._confirm((message[0], message[1]))

    def _confirm(self, topic: _Topic) -> None:
        confirmed = self._confirmed.get(topic)
        if confirmed is not None and not confirmed.done():
            confirmed.set_result(None)
        if topic in self._missed:
            self._missed.discard(topic)
            if topic[0] == _CHANNEL:
                self._hearers[topic[1]](None)

    def _lose(self) -> None:
        """Forget the connection: nothing is confirmed any more, and everybody may have missed something."""
        _cancel(pong for pong in self._pongs if pong is not None)
        self._pongs.clear()
        loop = asyncio.get_running_loop()
        lost = [topic for topic, confirmed in self._confirmed.items() if confirmed.done()]
        self._missed.update(lost)
        self._confirmed.update((topic, loop.create_future()) for topic in lost)
        for hear in list(self._hearers.values()):
            hear(None)
        for kind, name in lost:
            if kind == _PATTERN:
                self._any_hearers[name](name, None)


def _cancel(futures: Iterable[asyncio.Future[None]]) -> None:
    for future in futures:
        future.cancel()


async def _run_until_one_ends(*runs: Coroutine[Any, Any, None]) -> None:
    """Run side by side; as soon as one fails so does this, without waiting for the others to notice."""
    tasks = [asyncio.create_task(run) for run in runs]
    for task in tasks:
        task.add_done_callback(_retrieve)
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()


def _retrieve(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
