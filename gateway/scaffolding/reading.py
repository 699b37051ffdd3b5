"""From a Celery app to what `tasks.yaml` can say of it.

What comes in: an imported app. What goes out: a `FoundApp`, in the order of the keys. Nothing is called but the signatures.
"""

import inspect
import math
import re
from collections.abc import Collection
from typing import Any

import msgspec

from gateway.config.checks import RESERVED_KEYS
from gateway.config.model import CeleryName, QueueName, Seconds
from gateway.scaffolding.found import FoundApp, FoundTask
from gateway.scaffolding.routes import find_queue, read_queue_name
from gateway.scaffolding.signatures import read_signature

_OWN_QUEUE = "celery"
_VISIBILITY_S = 3600
_MAX_KEY = 128
_MAX_TEXT = 4000


def read_app(app: Any, *, reference: str) -> FoundApp:
    """Read the tasks that an app registers, Celery's own left out."""
    tasks: list[FoundTask] = []
    left_out: list[str] = []
    for name in sorted(name for name in app.tasks if not name.startswith("celery.")):
        if _is_fitting(name, CeleryName):
            key = make_key(name, taken={task.key.casefold() for task in tasks})
            tasks.append(_read_task(app, key, name))
        else:
            left_out.append(f"the task {name!a}, whose name is not one of printable ASCII without spaces")
    queue = app.conf.task_default_queue
    has_own = queue == _OWN_QUEUE or not _is_fitting(queue, QueueName)
    return FoundApp(
        reference=reference,
        default_queue=None if has_own else queue,
        tasks=tuple(sorted(tasks, key=lambda task: task.key)),
        left_out=tuple(left_out),
    )


def make_key(name: str, *, taken: Collection[str]) -> str:
    """Make a key of a Celery name; `taken` are the keys that there are, case folded."""
    parts = [re.sub(r"[^A-Za-z0-9_-]", "_", part) for part in name.split(".")]
    key = ".".join(part or "_" for part in parts)
    key = (key if key[0].isalpha() else f"task_{key}")[: _MAX_KEY - 8].rstrip(".")
    candidate, count = key, 1
    while candidate.casefold() in taken or candidate.casefold() in RESERVED_KEYS:
        count += 1
        candidate = f"{key}_{count}"
    return candidate


def _read_task(app: Any, key: str, name: str) -> FoundTask:
    task = app.tasks[name]
    notes: dict[str, str] = {}
    parameters, obstacles = read_signature(task.run)
    if obstacles:
        notes["parameters"] = "; ".join(obstacles)
    hard = _read_seconds(task.time_limit, "time_limit_s", notes)
    soft = _read_seconds(task.soft_time_limit, "soft_time_limit_s", notes)
    if hard is not None and hard >= _VISIBILITY_S:
        notes["time_limit_s"] = "on Redis it must be less than the visibility timeout, GATEWAY_VISIBILITY_TIMEOUT_S"
    if soft is not None and hard is not None and soft >= hard:
        notes["soft_time_limit_s"] = f"{soft} in the app, which is not less than its time limit"
        soft = None
    return FoundTask(
        key=key,
        name=name,
        description=_read_description(task, notes),
        queue=_read_queue(app, task, name, notes),
        time_limit_s=hard,
        soft_time_limit_s=soft,
        parameters=parameters,
        notes=notes,
    )


def _read_description(task: Any, notes: dict[str, str]) -> str:
    """Read the first paragraph of the function's docstring, or of the task's own class."""
    written = inspect.unwrap(task.run).__doc__ or vars(type(task)).get("__doc__") or ""
    lines = inspect.cleandoc(written).split("\n\n")[0].split()
    text = "".join(each if each.isprintable() else "?" for each in " ".join(lines))[:_MAX_TEXT]
    if not text:
        notes[""] = "no docstring: say in `description` what it does"
    return text


def _read_queue(app: Any, task: Any, name: str, notes: dict[str, str]) -> str | None:
    """Read the queue; a task's own wins over the routes, as it does in Celery."""
    queue, note = read_queue_name(getattr(task, "queue", None)), None
    if queue is None:
        queue, note = find_queue(name, app.conf.task_routes)
    if queue is not None and not _is_fitting(queue, QueueName):
        queue, note = None, f"{queue!a} in the app, which is no name of a queue here"
    if note is not None:
        notes["queue"] = note
    return queue


def _read_seconds(limit: Any, field: str, notes: dict[str, str]) -> int | None:
    if limit is None:
        return None
    seconds = math.ceil(limit) if isinstance(limit, int | float) and math.isfinite(limit) else limit
    if not _is_fitting(seconds, Seconds):
        notes[field] = f"{limit!r:.40} in the app, which is no number of seconds from 1 to a year"
        return None
    return int(seconds)


def _is_fitting(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True
