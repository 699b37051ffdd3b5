"""One script, run in Redis over one connection.

The connection is taken out of the pool once and kept: to take it out and put it back for each run, and a deadline of
redis-py's own around each wait, cost more than the run itself. Whoever runs the script brings the deadline.
"""

from hashlib import sha1
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, ResponseError

from gateway.killpoints import reach


class Script:
    """A script of Redis, for one run at a time."""

    def __init__(self, client: Redis, text: str) -> None:
        """Take the client in whose pool the connection is; closing the client closes it."""
        self._pool = client.connection_pool
        self._text = text
        self._digest = sha1(text.encode(), usedforsecurity=False).hexdigest()
        self._connection: Any = None

    async def connect(self) -> None:
        """See to the connection; what fails here has sent nothing."""
        if self._connection is None:
            self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call] # redis-py left it out
            self._connection.socket_timeout = None
        elif self._connection.is_connected and await self._connection.can_read():
            await self._connection.disconnect(nowait=True)  # the server has closed it, or says what nobody asked for
        if not self._connection.is_connected:
            await self._connection.connect()

    async def run(self, *arguments: str | bytes) -> Any:
        """Run the script with arguments, and return its answer.

        Raises: ResponseError when Redis refused to run it. After any other error nobody knows whether it did.
        """
        try:
            return await self._ask("EVALSHA", self._digest, 0, *arguments)
        except NoScriptError:  # Redis is new to it, or has forgotten it
            return await self._ask("EVAL", self._text, 0, *arguments)

    async def _ask(self, *words: str | bytes | int) -> Any:
        connection = self._connection
        try:
            await connection.send_packed_command(connection.pack_command(*words), check_health=False)
            reach("sent")
            return await connection.read_response()
        except ResponseError:
            raise
        except BaseException:  # its answer may still come, and would be taken for the next one's
            await connection.disconnect(nowait=True)
            raise
