"""Tasks that end in every way, each with its results in every kind of backend: `<backend>.<serializer>.<ending>`.

What comes in: RESULTS_BROKER, and RESULTS_URLS as a JSON object of backends by name. Run by one worker of the solo pool, which
takes one task after the other.
"""

import json
import os
from pathlib import Path
from typing import Any, Never

from celery import Celery, Task
from celery.exceptions import Ignore

URLS: dict[str, str] = json.loads(os.environ["RESULTS_URLS"])
TABLE = "shop_results"
META = {"current": 2, "total": 8, "message": "weighing"}


class RefusedError(Exception):
    """Why a task fails."""


class Canary:
    """Leaves a file behind wherever it is unpickled."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self._path),)


def make_app(url: str, **conf: Any) -> Celery:
    """Make an app that keeps its results in one place."""
    made = Celery("shop", broker=os.environ["RESULTS_BROKER"], backend=url, set_as_current=False)
    made.conf.update(
        broker_connection_retry_on_startup=True,
        database_table_names={"task": TABLE},
        result_extended=True,
        task_default_queue="shop",
        **conf,
    )
    return made


app = make_app(URLS["db"])


def register(name: str, serializer: str) -> None:
    """Register the tasks of one backend."""
    backend = make_app(URLS[name], result_serializer=serializer, accept_content=["json", "pickle"]).backend

    for kind in (succeed, fail, custom, progress, much, canary):
        app.task(kind, name=f"{name}.{serializer}.{kind.__name__}", bind=True, backend=backend)


def succeed(_: Task, item: str) -> dict[str, Any]:
    """Return what JSON can say."""
    return {"item": item, "weights": [1, 2.5]}


def fail(_: Task, item: str) -> Never:
    """Fail."""
    raise RefusedError(item, 7)


def custom(self: Task, item: str) -> Never:
    """End without an end, in a state of one's own."""
    self.update_state(state="WEIGHED", meta={"item": item})
    raise Ignore


def progress(self: Task, item: str) -> Never:
    """End without an end, half-way."""
    self.update_state(state="PROGRESS", meta=META | {"item": item})
    raise Ignore


def much(_: Task, item: str) -> str:
    """Return more than is shown at once."""
    return item[0] * 20_000


def canary(_: Task, item: str) -> Canary:
    """Return what must never be unpickled."""
    return Canary(item)


@app.task(name="mark")
def mark(path: str) -> None:
    """Show that all before has ended."""
    Path(path).touch()


for each in URLS:
    register(each, "json")
    if each != "shelf":  # its text cannot hold a pickle
        register(each, "pickle")
