"""An app as somebody may have written it: its own prefixes, routes, exchanges, serializers and priorities."""

import os
from datetime import timedelta

from celery import Celery, Task
from kombu import Exchange, Queue

app = Celery("shop", broker=os.environ["EXISTING_BROKER"], backend=os.environ["EXISTING_BROKER"])
app.conf.update(
    task_default_queue="shop",
    task_queues=(
        Queue("shop"),
        Queue("urgent"),
        Queue("media", Exchange("media", type="topic"), routing_key="media.#"),
    ),
    task_routes={
        "shop.film": {"queue": "media", "routing_key": "media.film"},
        "shop.rush": {"queue": "urgent", "priority": 7},
    },
    broker_transport_options={"global_keyprefix": "broker:", "priority_steps": [0, 5, 9], "sep": ":"},
    result_expires=timedelta(hours=2),
    result_backend_transport_options={"global_keyprefix": "results:"},
    broker_connection_retry_on_startup=True,
    accept_content=["json", "yaml"],
    worker_prefetch_multiplier=1,
)


@app.task(name="shop.order", bind=True)
def order(self: Task, item: str) -> list[object]:
    """Tell how the message came."""
    return describe(self, item)


@app.task(name="shop.film", bind=True)
def film(self: Task, item: str) -> list[object]:
    """Tell how the message came, over a topic exchange."""
    return describe(self, item)


@app.task(name="shop.rush", bind=True)
def rush(self: Task, item: str) -> list[object]:
    """Tell how the message came, by priority."""
    return describe(self, item)


@app.task(name="shop.packed", bind=True, serializer="yaml", compression="gzip")
def packed(self: Task, item: str) -> list[object]:
    """Tell how the message came, in another serializer and compressed."""
    return describe(self, item)


def describe(task: Task, item: str) -> list[object]:
    """Return what the worker knows of the message."""
    info = task.request.delivery_info or {}
    return [item, info.get("exchange"), info.get("routing_key"), info.get("priority")]
