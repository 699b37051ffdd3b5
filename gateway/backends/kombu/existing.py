"""What an existing Celery app says about its broker, its results and its routes.

What comes in: the app. What goes out: settings, by their names, and a route for each Celery name. The app itself is never
used to publish: it may have a result backend, with which it hangs.
"""

from datetime import timedelta
from typing import Any, Final

from celery import Celery
from kombu.entity import Queue

from gateway.catalog.deployment import Route
from gateway.errors import SettingsError

_ROUTE_OPTIONS: Final = ("exchange", "routing_key", "serializer", "compression")
"""What a task's own options or its route may say of the message; anything here is more than a list in Redis can hold."""
_PROTOCOL: Final = 2
_SENDING: Final = (
    "task_serializer", "task_compression", "task_protocol", "task_queues", "task_routes", "task_default_exchange",
    "task_default_exchange_type", "task_default_routing_key", "task_default_delivery_mode", "task_default_queue_type",
    "task_create_missing_queues", "task_create_missing_queue_type", "task_queue_max_priority",
    "task_inherit_parent_priority", "control_exchange", "event_exchange", "event_queue_prefix",
)  # fmt: skip

_RESULTS: Final = (
    "database_", "cache_", "s3_", "gcs_", "azureblockblob_", "couchbase_", "arangodb_", "cosmosdbsql_", "elasticsearch_",
    "dynamodb_", "timezone", "enable_utc",
)  # fmt: skip
"""How the names begin of what decides where results are and how they are told."""


class ExistingApp:
    """A Celery app that somebody else wrote."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def list_settings(self) -> dict[str, str]:
        """Return the settings that the app decides where the environment does not."""
        conf = self._app.conf
        broker, results = dict(conf.broker_transport_options or {}), dict(conf.result_backend_transport_options or {})
        found = {
            "broker_url": self._app.connection_for_write().as_uri(include_password=True),
            "result_url": conf.result_backend,
            "default_queue": conf.task_default_queue,
            "broker_key_prefix": broker.get("global_keyprefix"),
            "result_key_prefix": results.get("global_keyprefix"),
            "result_keep_s": str(_count_seconds(conf.result_expires)),
            "priority_separator": broker.get("sep"),
            "sentinel_master": broker.get("master_name"),
            "visibility_timeout_s": broker.get("visibility_timeout"),
            "priority_steps": ",".join(str(step) for step in broker.get("priority_steps", ())),
        }
        return {name: str(value) for name, value in found.items() if value}

    def list_sending_options(self) -> dict[str, Any]:
        """Return the part of the configuration that decides what a message looks like and where it goes."""
        return {name: self._app.conf[name] for name in _SENDING}

    def list_result_options(self) -> dict[str, Any]:
        """Return the part of the configuration that the result backend needs beside its URL."""
        return {name: self._app.conf[name] for name in self._app.conf if name.startswith(_RESULTS)}

    def list_task_options(self, name: str) -> dict[str, Any]:
        """Return what the task itself says of its messages, if the app knows it."""
        task = self._app.tasks.get(name)
        values = {option: getattr(task, option, None) for option in _ROUTE_OPTIONS}
        return {option: value for option, value in values.items() if value is not None}

    def route(self, name: str, queue: str | None) -> Route:
        """Tell where the messages of a task go; a queue that was named elsewhere wins.

        Raises: SettingsError when the app has no such queue and makes none.
        """
        task = self._app.tasks.get(name)
        asked = {"queue": queue or getattr(task, "queue", None), **self.list_task_options(name)}
        try:
            options = self._app.amqp.router.route({key: value for key, value in asked.items() if value}, name)
        except Exception as error:  # a router is foreign code: it may raise anything
            raise SettingsError(f"the Celery app has no route for {name!r}: {type(error).__name__}: {error}") from error
        target = options.get("queue")
        return Route(
            queue=target.name if isinstance(target, Queue) else str(target or self._app.conf.task_default_queue),
            priority=options.get("priority", getattr(task, "priority", None)),
            is_plain=self._is_plain(options),
        )

    def _is_plain(self, options: dict[str, Any]) -> bool:
        """Tell whether a message is JSON on the default exchange, which is a list in Redis."""
        conf, target = self._app.conf, options.get("queue")
        said = {name: options[name] for name in _ROUTE_OPTIONS if options.get(name) not in {None, "json"}}
        is_direct = not isinstance(target, Queue) or target.exchange.type == "direct"
        is_usual = conf.task_serializer == "json" and not conf.task_compression and conf.task_protocol == _PROTOCOL
        return is_direct and is_usual and not said


def _count_seconds(expires: timedelta | float | None) -> int:
    """Read Celery's `result_expires`: None and 0 keep results for good."""
    seconds = expires.total_seconds() if isinstance(expires, timedelta) else expires
    return int(seconds or 0)
