"""A connection that is taken out of its pool once and kept, for those who make one round trip after the other.

To take it out and put it back each time, and a deadline of redis-py's own around each wait, cost more than a round trip.
Whoever uses it brings the deadline, and uses it for one thing at a time.
"""

from collections.abc import Sequence
from typing import Any

import hiredis
from redis.asyncio import Redis
from redis.exceptions import ResponseError

Command = tuple[Any, ...]


class KeptConnection:
    """A connection of a client; closing the client closes it."""

    def __init__(self, client: Redis) -> None:
        """Take the client in whose pool the connection is."""
        self._pool = client.connection_pool
        self._connection: Any = None

    async def open(self) -> None:
        """See to the connection; what fails here has sent nothing."""
        if self._connection is None:
            self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call] # redis-py left it out
            self._connection.socket_timeout = None
        elif self._connection.is_connected and await self._connection.can_read():
            await self._connection.disconnect(nowait=True)  # the server has closed it, or says what nobody asked for
        if not self._connection.is_connected:
            await self._connection.connect()

    async def send(self, commands: Sequence[Command]) -> None:
        """Send commands, whose replies are to be read next."""
        packed = b"".join([hiredis.pack_command(command) for command in commands])
        try:
            await self._connection.send_packed_command([packed], check_health=False)
        except BaseException:
            await self._connection.disconnect(nowait=True)
            raise

    async def read(self, count: int) -> list[Any]:
        """Read so many replies; a command that Redis refused has its ResponseError for a reply."""
        try:
            return [await self._read_one() for _ in range(count)]
        except BaseException:  # what is still to come would be taken for the replies of others
            await self._connection.disconnect(nowait=True)
            raise

    async def _read_one(self) -> Any:
        try:
            return await self._connection.read_response()
        except ResponseError as refused:
            return refused
