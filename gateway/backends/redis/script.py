"""One script, run in Redis over a connection of its own."""

from hashlib import sha1
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, ResponseError

from gateway.backends.redis.kept import KeptConnection
from gateway.killpoints import reach


class Script:
    """A script of Redis, for one run at a time; whoever runs it brings the deadline."""

    def __init__(self, client: Redis, text: str) -> None:
        self._connection = KeptConnection(client)
        self._text = text
        self._digest = sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def connect(self) -> None:
        """See to the connection; what fails here has sent nothing."""
        await self._connection.open()

    async def run(self, *arguments: str | bytes) -> Any:
        """Run the script with arguments, and return its answer.

        Raises: ResponseError when Redis refused to run it. After any other error nobody knows whether it did.
        """
        answer = await self._ask("EVALSHA", self._digest, 0, *arguments)
        if isinstance(answer, NoScriptError):  # Redis is new to it, or has forgotten it
            answer = await self._ask("EVAL", self._text, 0, *arguments)
        if isinstance(answer, ResponseError):
            raise answer
        return answer

    async def _ask(self, *command: Any) -> Any:
        await self._connection.send([command])
        reach("sent")
        [answer] = await self._connection.read(1)
        return answer
