"""Publishing through Kombu, with confirms: every broker that is not a Redis."""

from functools import partial

from celery import Celery
from kombu.exceptions import OperationalError
from kombu.messaging import Producer

from gateway.backends.kombu.blocking import BlockingCalls
from gateway.errors import BrokerUnavailableError, UncertainPublishError
from gateway.launch.idempotency import Claim
from gateway.launch.launch import Launch, show_params

THREADS = 4
BACKLOG = 256


class KombuPublisher:
    """Publishes with `send_task` from a bounded pool of threads."""

    def __init__(self, app: Celery, *, deadline_s: float) -> None:
        self.name = "broker"
        self.warnings: tuple[str, ...] = ()
        self._app = app
        self._calls = BlockingCalls(size=THREADS, backlog=BACKLOG, deadline_s=deadline_s, name="publish")

    async def publish(self, launch: Launch, claim: Claim | None = None) -> None:  # noqa: ARG002 - keys are the outbox's
        """Publish, and wait for the broker's confirm.

        Raises: BrokerUnavailableError; UncertainPublishError when the deadline passed after the call had begun.
        """
        await self._calls.run(partial(self._send, launch), when_late=UncertainPublishError(launch.task_id))

    async def check(self) -> None:
        """Return when the broker accepts a connection."""
        late = BrokerUnavailableError("the broker does not answer in time")
        await self._calls.run(self._connect, when_late=late)

    def close(self) -> None:
        """Let the threads go, and their connections."""
        self._calls.close()
        self._app.close()

    def _send(self, launch: Launch) -> None:
        """Publish in two steps: until the connection stands, an error is certain; after that, only a refusal is.

        Raises: UncertainPublishError when the connection broke before the confirm.
        """
        with self._app.producer_or_acquire() as producer:
            producer.connection.ensure_connection(max_retries=1, interval_start=0)
            try:
                self._publish(launch, producer)
            except producer.connection.channel_errors:
                raise
            except (*producer.connection.connection_errors, OperationalError, OSError) as error:
                producer.connection.collapse()
                raise UncertainPublishError(launch.task_id) from error

    def _publish(self, launch: Launch, producer: Producer) -> None:
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
        )

    def _connect(self) -> None:
        with self._app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=None)
