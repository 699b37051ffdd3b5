"""Sending through Kombu, with confirms: every broker that is not a Redis, and what Redis cannot be told natively."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from celery import Celery
from kombu.exceptions import ChannelError
from kombu.messaging import Producer

from gateway.backends.kombu.broker_calls import make_broker_calls
from gateway.backends.kombu.existing import ExistingApp
from gateway.errors import BrokerUnavailableError, UncertainPublishError
from gateway.launch.launch import Launch, show_params
from gateway.launch.withdrawal import Taking, Withdrawal
from gateway.ports import Revocation

THREADS = 4
BACKLOG = 256
SILENT_S = 10.0
"""How long a message that was not confirmed tells against the broker: one that is out of memory accepts connections."""


class KombuSender:
    """Publishes with `send_task` from a bounded pool of threads."""

    def __init__(self, app: Celery, *, deadline_s: float, existing: ExistingApp | None = None) -> None:
        self.name = "broker"
        self.warnings: tuple[str, ...] = ()
        self._app = app
        self._existing = existing
        self._silent_until = 0.0
        self._calls = make_broker_calls(size=THREADS, backlog=BACKLOG, deadline_s=deadline_s, name="publish")

    async def send(self, launch: Launch, *, within_s: float, not_after: float) -> None:
        """Publish, and wait for the broker's confirm.

        Raises: BrokerUnavailableError; UncertainPublishError when the deadline passed after the call had begun.
        """
        call = partial(self._send, launch, not_after=not_after)
        try:
            await self._calls.run(call, when_late=UncertainPublishError(launch.task_id), within_s=within_s)
        except UncertainPublishError:
            self._silent_until = time.monotonic() + SILENT_S
            raise
        self._silent_until = 0.0

    async def withdraw(self, wanted: Sequence[Withdrawal], wish: Revocation) -> dict[str, Taking]:  # noqa: ARG002 - see below
        """Take nothing back: AMQP knows no way to take one message out of a queue."""
        return {}

    async def check(self) -> None:
        """Return when the broker accepts a connection, and has confirmed the last message."""
        await self._calls.run(self._connect)
        if time.monotonic() < self._silent_until:
            raise BrokerUnavailableError("the broker did not confirm the last message")

    def close(self) -> None:
        """Let the threads go, and their connections."""
        self._calls.close()
        self._app.close()

    def _send(self, launch: Launch, *, not_after: float) -> None:
        """Publish in two steps: until the channel stands, an error is certain; after that, only a refusal is.

        Raises: UncertainPublishError when the connection broke before the confirm.
        """
        with self._app.producer_or_acquire() as producer:
            _open_channel(producer)
            if time.monotonic() > not_after:
                raise BrokerUnavailableError("the broker's turn came too late: somebody else may send this by now")
            try:
                self._publish(launch, producer)
            except ChannelError:
                raise
            except Exception as error:
                # Whatever it is, a connection that breaks while a message is under way leaves it uncertain.
                producer.connection.collect()
                raise UncertainPublishError(launch.task_id) from error

    def _publish(self, launch: Launch, producer: Producer) -> None:
        """Publish into a queue as it is; declare it only where there is none.

        Declaring first, as Celery does, is refused for a queue of other arguments, a quorum queue among them; without
        it, RabbitMQ confirms what it drops, unless it must give it back.
        """
        if producer.connection.transport.driver_type != "amqp":
            self._send_task(launch, producer)
            return
        returned: list[object] = []

        def note(*reason: object) -> None:
            returned.append(reason)

        handlers = producer.channel.events["basic_return"]
        handlers.add(note)
        try:
            self._send_task(launch, producer, declare=(), mandatory=True)
        finally:
            handlers.discard(note)
        if returned:
            self._app.amqp.queues[launch.queue](producer.channel).declare()
            self._send_task(launch, producer, declare=(), mandatory=True)

    def _send_task(self, launch: Launch, producer: Producer, **options: Any) -> None:
        if self._existing is not None:
            options |= self._existing.list_task_options(launch.name)
        if launch.trace is not None:
            options["headers"] = launch.trace.list_headers()
        self._app.send_task(
            launch.name,
            kwargs=launch.params,
            task_id=launch.task_id,
            queue=launch.queue,
            priority=launch.priority,
            eta=launch.eta,
            expires=launch.expires_at,
            time_limit=launch.time_limit_s,
            soft_time_limit=launch.soft_time_limit_s,
            root_id=launch.lineage.root_id if launch.lineage else None,
            kwargsrepr=show_params(launch),
            retry=False,
            producer=producer,
            **options,
        )

    def _connect(self) -> None:
        with self._app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=None)


def _open_channel(producer: Producer) -> None:
    """Have a channel that stands, on a connection that the broker has not closed since its last use."""
    connection = producer.connection
    connection.ensure_connection(max_retries=1, interval_start=0)
    if connection.transport.driver_type == "amqp":
        try:
            connection.drain_events(timeout=0)
        except TimeoutError:
            pass  # nothing to read: it is as it was left
        except (*connection.connection_errors, *connection.channel_errors):
            connection.collect()
            connection.ensure_connection(max_retries=1, interval_start=0)
    _ = producer.channel
