"""The depth of queues at any broker, asked over one connection that is kept, in a thread of its own."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from celery import Celery

from gateway.backends.depths import Depth
from gateway.backends.kombu.broker_calls import make_broker_calls


class KombuDepths:
    """Counts what waits; how old it is, no such broker tells."""

    def __init__(self, app: Celery, *, deadline_s: float) -> None:
        self._app = app
        self._calls = make_broker_calls(size=1, backlog=1, deadline_s=deadline_s, name="depths")
        self._connection: Any = None

    def close(self) -> None:
        """Let go of the connection, once the count under way has ended."""
        self._calls.close()

    async def measure(self, queues: Sequence[str]) -> dict[str, Depth]:
        """Count the messages of queues.

        Raises: BrokerUnavailableError.
        """
        return await self._calls.run(partial(self._measure, queues))

    def _measure(self, queues: Sequence[str]) -> dict[str, Depth]:
        try:
            if self._connection is None:
                self._connection = self._app.connection_for_read()
                self._connection.ensure_connection(max_retries=1, interval_start=0)
            return {queue: Depth(waiting=self._count(queue)) for queue in queues}
        except BaseException:
            connection, self._connection = self._connection, None
            connection.release()
            raise

    def _count(self, queue: str) -> int:
        try:
            with self._connection.channel() as channel:
                return int(channel.queue_declare(queue=queue, passive=True).message_count)
        except self._connection.channel_errors:
            return 0  # not declared yet: nothing waits in it
