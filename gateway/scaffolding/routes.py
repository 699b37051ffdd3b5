"""Which queue a task goes to, by `task_routes`, as far as it is data.

Source: celery.app.routes, MapRoute: exact names before patterns, routes in their order, the first that knows wins.
"""

import fnmatch
import re
from collections.abc import Iterator
from typing import Any

_CODE = "a router function decides the queue"


def find_queue(name: str, routes: Any) -> tuple[str | None, str | None]:
    """Return the queue of a task by the routes, None when they name none, and a note, None when all is known."""
    if not routes:
        return None, None
    for route in routes if isinstance(routes, list | tuple) else (routes,):
        if isinstance(route, str) or callable(route):
            return None, f"{_CODE}: write it here, or leave it to the default"
        target = _match(name, list(_list_entries(route)))
        if target is not None:
            return _read_target(target), None
    return None, None


def read_queue_name(queue: Any) -> str | None:
    """Return the name of a queue that is given as a string or as Kombu's Queue."""
    found = getattr(queue, "name", queue)
    return found if isinstance(found, str) and found else None


def _list_entries(route: Any) -> Iterator[tuple[Any, Any]]:
    yield from route.items() if hasattr(route, "items") else route


def _match(name: str, entries: list[tuple[Any, Any]]) -> Any:
    exact = next((target for key, target in entries if key == name), None)
    if exact is not None:
        return exact
    return next((target for key, target in entries if _is_matching(key, name)), None)


def _is_matching(key: Any, name: str) -> bool:
    if isinstance(key, re.Pattern):
        return key.match(name) is not None
    if not isinstance(key, str) or "*" not in key:
        return False
    return re.match(fnmatch.translate(key), name) is not None


def _read_target(target: Any) -> str | None:
    return read_queue_name(target.get("queue")) if hasattr(target, "get") else read_queue_name(target)
