"""One thread with one connection to the broker, that hears what workers say of themselves and answers those that start.

What comes in: events, and the `hello` with which a worker asks the others which tasks are revoked (celery/worker/consumer/
mingle.py). What goes out: events, and the answer. It asks nothing of anybody, and takes part in nothing else: whatever else
is asked of all workers is not meant for it.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

import kombu
import structlog
from celery import Celery

from gateway.backends.kombu.broker_calls import blame
from gateway.backends.observing.heartbeats import Heartbeats

POLL_S: Final = 0.5
SILENCE_S: Final = 30.0
"""After so much silence the connection may be dead without knowing: a new one takes its place."""
RETRY_S: Final = 0.5
RETRY_MOST_S: Final = 5.0
_log = structlog.get_logger("gateway.observing")
_kombu: Any = kombu
"""It annotates few of its functions."""
Event = dict[str, Any]


class Listener:
    """Listens until it is closed, whatever becomes of the broker."""

    def __init__(
        self,
        app: Celery,
        heartbeats: Heartbeats,
        *,
        hear: Callable[[Event], None],
        find_revoked: Callable[[], list[str]],
    ) -> None:
        """`hear` is called with each event; `find_revoked` tells what a worker that starts must know, the oldest first."""
        self.wants_tasks = False
        """True while somebody notes the events of tasks; they are many, and one process is enough."""
        self._app = app
        self._heartbeats = heartbeats
        self._hear = hear
        self._find_revoked = find_revoked
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening, within a second or so."""
        self._stopped.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the end, after `close`."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        pause_s = RETRY_S
        current: _Ear | None = None
        while not self._stopped.is_set():
            try:
                # The new one listens before the old one stops, so that no hello is missed.
                fresh = _Ear(self._app, hear=self._hear_safely, answer=self._answer)
                _release(current)
                current = fresh
                if pause_s > RETRY_S:
                    _log.info("events_heard_again")
                pause_s = RETRY_S
                self._listen(fresh)
            except Exception as error:  # noqa: BLE001 - Kombu raises whatever its transport does; listening outlives it
                self._heartbeats.pause()
                if pause_s == RETRY_S:
                    _log.warning("events_unheard", cause=str(blame(error)))
                _release(current)
                current = None
                self._stopped.wait(pause_s)
                pause_s = min(2 * pause_s, RETRY_MOST_S)
        _release(current)

    def _listen(self, ear: "_Ear") -> None:
        """Hear until it has been silent for too long.

        Raises: whatever Kombu raises when the connection breaks.
        """
        self._heartbeats.listen(time.time())
        heard_at = time.monotonic()
        while not self._stopped.is_set() and time.monotonic() - heard_at < SILENCE_S:
            ear.attend_to_tasks(wanted=self.wants_tasks)
            if ear.drain(POLL_S):
                heard_at = time.monotonic()

    def _hear_safely(self, body: object) -> None:
        for event in body if isinstance(body, list) else [body]:
            if isinstance(event, dict) and isinstance(event.get("type"), str):
                self._hear(event)

    def _answer(self) -> Event | None:
        try:
            revoked = self._find_revoked()
        except Exception as error:  # noqa: BLE001 - a ledger that is away must not break the listening
            _log.warning("hello_unanswered", cause=type(error).__name__)
            return None
        return {"revoked": revoked, "clock": self._app.clock.forward()}


class _Ear:
    """One connection and what it consumes."""

    def __init__(self, app: Celery, *, hear: Callable[[object], None], answer: Callable[[], Event | None]) -> None:
        self._app = app
        self._hear = hear
        self._find_answer = answer
        # Queues are named after their connection: the one before may not be gone yet.
        self._name = f"task-gateway-{uuid4().hex[:12]}.{os.getpid()}@{socket.gethostname()}"
        self.connection: Any = app.connection_for_read()
        try:
            self.connection.ensure_connection(max_retries=1, interval_start=0)
            self._consume(app.control.mailbox(self.connection).get_queue(self._name), self._take_command)
            self._consume_events("worker.#")
            self.drain(0.01)  # in Redis it is only now that anything is subscribed to
        except BaseException:
            _release(self)
            raise
        self._tasks: Any = None

    def drain(self, timeout_s: float) -> bool:
        """Wait for something to be heard; tell whether it was."""
        try:
            self.connection.drain_events(timeout=timeout_s)
        except TimeoutError:
            return False
        return True

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


def _release(ear: _Ear | None) -> None:
    """Let go of a connection, which may be broken."""
    if ear is None:
        return
    try:
        ear.connection.release()
    except Exception as error:  # noqa: BLE001 - it is gone anyhow
        _log.debug("release_failed", cause=type(error).__name__)
