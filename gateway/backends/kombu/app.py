"""The Celery app that the gateway speaks through: no task, no result backend, short waits everywhere."""

from celery import Celery

from gateway.backends.kombu.existing import ExistingApp
from gateway.backends.redis.message import Lanes


def make_app(
    broker_url: str,
    *,
    lanes: Lanes,
    deadline_s: float,
    default_queue: str,
    sentinel_master: str = "",
    existing: ExistingApp | None = None,
) -> Celery:
    """Make the app; nothing connects before its first use.

    An app with a result backend subscribes to it before it publishes and hangs with it, so this one has none.
    Source: celery/backends/asynchronous.py; kombu's connect back-off needs `max_retries` beside the timeouts.
    """
    options: dict[str, object] = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
    if broker_url.startswith(("redis", "sentinel", "unix")):
        options |= {
            # It takes no tasks, so it has none to put back: those of workers are theirs, by a timeout of their own.
            "ack_emulation": False,
            "socket_timeout": deadline_s,
            "socket_connect_timeout": deadline_s / 2,
            "priority_steps": list(lanes.steps),
            "sep": lanes.separator,
        }
        if sentinel_master:
            options["master_name"] = sentinel_master
        if lanes.key_prefix:
            options["global_keyprefix"] = lanes.key_prefix
    else:
        options |= {"confirm_publish": True, "read_timeout": deadline_s, "write_timeout": deadline_s}
    app = Celery("task-gateway", broker=broker_url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        broker_connection_timeout=deadline_s / 2,
        broker_transport_options=options,
        task_default_queue=default_queue,
        task_publish_retry=False,
        task_serializer="json",
    )
    if existing is not None:
        app.conf.update(existing.list_sending_options())
    return app
