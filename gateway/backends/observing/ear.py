"""One connection to the broker: what it hears, what it asks, and the one question that it answers.

What comes in: events, answers, and the `hello` with which a worker asks the others which tasks are revoked (celery/worker/
consumer/mingle.py). What goes out: questions to all workers, and the answer to `hello`. It waits for no answer: all that comes
is taken by whoever drains. What is broadcast comes back to it, too, which proves that the broker passes it on.
"""

import os
import socket
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import uuid4

import kombu
import structlog
from celery import Celery

MOST_TICKETS: Final = 32
"""Questions whose answers are waited for; those of older ones come too late."""
_log = structlog.get_logger("gateway.observing")
_kombu: Any = kombu
"""It annotates few of its functions."""
Event = dict[str, Any]


class Ear:
    """One connection and what it consumes."""

    def __init__(
        self,
        app: Celery,
        *,
        hear: Callable[[object], None],
        take_answer: Callable[[str, object], None],
        answer: Callable[[], Event | None],
    ) -> None:
        """`hear` is called with events, `take_answer` with a method and what workers answered, `answer` when one says hello.

        Raises: whatever Kombu raises when it cannot connect.
        """
        self._app = app
        self._hear = hear
        self._take_answer = take_answer
        self._find_answer = answer
        self._tickets: OrderedDict[str, str] = OrderedDict()
        self._replies: Any = None
        # Queues are named after their connection: the one before may not be gone yet.
        self._name = f"task-gateway-{uuid4().hex[:12]}.{os.getpid()}@{socket.gethostname()}"
        self.connection: Any = app.connection_for_read()
        try:
            self.connection.ensure_connection(max_retries=1, interval_start=0)
            self._mailbox = app.control.mailbox(self.connection)
            self._out = self.connection.channel()
            self._consume(self._mailbox.get_queue(self._name), self._take_command)
            self._replies = self._consume(self._make_reply_queue(), self._take_reply)
            self._consume_events("worker.#")
            self.drain(0.01)  # in Redis it is only now that anything is subscribed to
        except BaseException:
            self.release()
            raise
        self._tasks: Any = None

    def drain(self, timeout_s: float) -> bool:
        """Wait for something to be heard; tell whether it was."""
        try:
            self.connection.drain_events(timeout=timeout_s)
        except TimeoutError:
            return False
        return True

    def ask(self, method: str, arguments: Mapping[str, Any]) -> None:
        """Ask all workers; what they answer is heard later."""
        ticket = str(uuid4())
        self._tickets[ticket] = method
        while len(self._tickets) > MOST_TICKETS:
            self._tickets.popitem(last=False)
        message = {
            "method": method,
            "arguments": arguments,
            "destination": None,
            "pattern": None,
            "matcher": None,
            "ticket": ticket,
            "reply_to": {"exchange": self._mailbox.reply_exchange.name, "routing_key": self._name},
        }
        _kombu.Producer(self._out, serializer="json", auto_declare=False).publish(
            message, exchange=self._mailbox.exchange.name, headers={"clock": self._app.clock.forward(), "expires": 0}
        )

    def release(self) -> None:
        """Let go of the connection, which may be broken."""
        # Kombu keeps the binding of a queue in Redis until it is deleted.
        forget = [] if self._replies is None else [self._replies.queues[0].delete]
        for step in (*forget, self.connection.release):
            try:
                step()
            except Exception as error:  # noqa: BLE001 - it is gone anyhow
                _log.debug("release_failed", cause=type(error).__name__)

    def attend_to_tasks(self, *, wanted: bool) -> None:
        """Begin to hear the events of tasks, or stop."""
        if wanted and self._tasks is None:
            self._tasks = self._consume_events("task.#")
        elif not wanted and self._tasks is not None:
            self._tasks.cancel()
            self._tasks.channel.close()
            self._tasks = None

    def _consume_events(self, key: str) -> Any:
        # A channel each: on Redis a channel knows one queue of an exchange.
        receiver = self._app.events.Receiver(self.connection.channel(), routing_key=key, app=self._app)
        return self._consume(receiver.queue, lambda body, _: self._hear(body), channel=receiver.channel)

    def _consume(self, queue: Any, callback: Callable[[Any, Any], None], *, channel: Any = None) -> Any:
        consumer = _kombu.Consumer(
            channel or self.connection.channel(), [queue], callbacks=[callback], no_ack=True, accept=["json"],
            on_decode_error=lambda *_: None,
        )  # fmt: skip
        consumer.consume()
        return consumer

    def _make_reply_queue(self) -> Any:
        """Make a queue as the mailbox would: its own is shared by all connections of a thread, and outlives them."""
        mailbox = self._mailbox
        return _kombu.Queue(
            f"{self._name}.{mailbox.reply_exchange.name}",
            exchange=mailbox.reply_exchange,
            routing_key=self._name,
            durable=mailbox.queue_durable,
            exclusive=mailbox.queue_exclusive,
            auto_delete=not mailbox.queue_durable,
            expires=mailbox.reply_queue_expires,
            message_ttl=mailbox.reply_queue_ttl,
        )

    def _take_reply(self, body: object, message: Any) -> None:
        method = self._tickets.get(str(message.headers.get("ticket")))
        if method is not None:
            self._take_answer(method, body)

    def _take_command(self, body: object, message: Any) -> None:
        """Answer a hello to everybody; be silent about all else, as no worker is here."""
        if not isinstance(body, dict) or body.get("method") != "hello" or body.get("destination"):
            return
        reply_to = body.get("reply_to")
        answer = self._find_answer() if isinstance(reply_to, dict) else None
        if answer is None or not isinstance(reply_to, dict):
            return
        self._app.clock.adjust(message.headers.get("clock") or 0)
        exchange = _kombu.Exchange(
            str(reply_to.get("exchange")), type="direct", durable=False, delivery_mode="transient"
        )
        with self.connection.channel() as channel:
            _kombu.Producer(channel, serializer="json", auto_declare=False).publish(
                {self._name: answer},
                exchange=exchange,
                routing_key=str(reply_to.get("routing_key")),
                headers={"ticket": body.get("ticket"), "clock": answer["clock"]},
            )
