"""Shared round trips: the commands of all who ask while Redis is busy with others leave together.

What comes in: commands, any number at once. What goes out: their replies. Reads and single writes that may be repeated
only: a command of a trip that broke may or may not have happened, and whoever asked is told that it failed.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.backends.redis.connection import Translated
from gateway.backends.redis.kept import Command, KeptConnection
from gateway.backends.redis.sharing import take_together
from gateway.errors import LedgerUnavailableError

MAX_COMMANDS = 512
"""Commands in one round trip."""
_TRANSPORT_ERRORS = (RedisError, OSError, TimeoutError)
_TRANSLATED: Final = Translated(LedgerUnavailableError, "the ledger")
T = TypeVar("T")


class _Asked(Struct, eq=False):
    """Commands of one caller, and when it must have its replies, by the loop's clock."""

    commands: Sequence[Command]
    due: float
    done: asyncio.Future[list[Any]]


class Asking(Generic[T]):
    """What was asked already, and how its replies are read; nothing is lost on whoever never awaits it."""

    def __init__(
        self, asked: asyncio.Future[list[Any]], read: Callable[[Awaitable[list[Any]]], Coroutine[Any, Any, T]]
    ) -> None:
        self._asked = asked
        self._read = read
        asked.add_done_callback(_retrieve)

    def __await__(self) -> Generator[Any, None, T]:
        """Wait for the replies and read them."""
        return self._read(self._asked).__await__()


class SharedTrips:
    """Sends commands to one Redis, one round trip at a time."""

    def __init__(self, client: Redis, *, deadline_s: float) -> None:
        self.client = client
        self._connection = KeptConnection(client)
        self._deadline_s = deadline_s
        self._loop: asyncio.AbstractEventLoop | None = None
        """The one loop of the process: to ask for it takes a system call."""
        self._waiting: deque[_Asked] = deque()
        self._sending: asyncio.Task[None] | None = None

    def ask(self, *commands: Command) -> asyncio.Future[list[Any]]:
        """Send commands; the future holds their replies, in their order.

        Shape: a command that Redis refuses has its ResponseError for a reply.
        Raises: the future does, a RedisError, OSError or TimeoutError when Redis did not answer in time.
        """
        loop = self._loop = self._loop or asyncio.get_running_loop()
        asked = _Asked(commands, loop.time() + self._deadline_s, loop.create_future())
        if not commands:
            asked.done.set_result([])
            return asked.done
        self._waiting.append(asked)
        if self._sending is None or self._sending.done():
            self._sending = loop.create_task(self._send_all())
        return asked.done

    async def _send_all(self) -> None:
        while self._waiting:
            together = take_together(self._waiting, _count_commands, most=MAX_COMMANDS)
            try:
                await self._send(together)
            except _TRANSPORT_ERRORS as error:
                _fail(together, error)
                if isinstance(error, TimeoutError):  # those behind a Redis that froze have waited as long
                    _fail(self._waiting, error)
                    self._waiting.clear()
            finally:
                for asked in together:  # whatever happened, whoever waits is told
                    if not asked.done.done():
                        asked.done.cancel()

    async def _send(self, together: list[_Asked]) -> None:
        commands = [command for asked in together for command in asked.commands]
        async with asyncio.timeout_at(together[0].due):
            await self._connection.open()
            await self._connection.send(commands)
            replies = await self._connection.read(len(commands))
        at = 0
        for asked in together:
            if not asked.done.done():  # whoever waited may have gone
                asked.done.set_result(replies[at : at + len(asked.commands)])
            at += len(asked.commands)


def _count_commands(asked: _Asked) -> int:
    return len(asked.commands)


async def await_ledger(asked: Awaitable[list[Any]]) -> list[Any]:
    """Wait for what the ledger replies.

    Raises: LedgerUnavailableError, also when Redis refused a command.
    """
    with _TRANSLATED:
        replies = await asked
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies


def _retrieve(asked: asyncio.Future[list[Any]]) -> None:
    if not asked.cancelled():
        asked.exception()


def _fail(these: Sequence[_Asked] | deque[_Asked], error: Exception) -> None:
    for asked in these:
        if not asked.done.done():
            asked.done.set_exception(error)
            asked.done.exception()  # retrieved: whoever waited may leave before it looks
