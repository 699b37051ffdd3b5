"""What workers say, read into bounded values. Pure.

What comes in: events, and answers to questions, which anybody with access to the broker may forge. What goes out: values that
can be shown and kept, or None for what is no such thing. Nothing here may raise.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from sys import intern
from typing import Any, Final

from msgspec import Struct

from gateway.backends.observing.heartbeats import PERIOD_S, Word
from gateway.backends.redis.observations import RunEvent
from gateway.launch.task_id import is_task_id

MOST_CHARACTERS: Final = 255
MOST_TASKS: Final = 100
"""Tasks of one kind that are shown of a worker; all are counted."""
MOST_NAMES: Final = 5000
"""Celery names, or queues, of one worker."""
LONGEST_PERIOD_S: Final = 300.0
_MOST: Final = 2.0**53
_KINDS: Final = {"task-received": "received_at", "task-started": "started_at"}
_LOADS: Final = 3


class Pulse(Struct, frozen=True, kw_only=True):
    """What a heartbeat tells beside that its worker lives."""

    active_count: int | None = None
    processed_count: int | None = None
    clock: int | None = None
    load: tuple[float, ...] = ()
    software: dict[str, str | None] = {}
    skew_s: float | None = None
    """How far the worker's clock is ahead of ours."""


class Tasks(Struct, frozen=True):
    """Tasks that a worker holds: the first of them, and how many there are."""

    shown: tuple[dict[str, Any], ...]
    count: int


def read_name(value: object) -> str | None:
    """Read the name of a worker, a task or a queue; what could not be shown is none."""
    is_name = isinstance(value, str) and 0 < len(value) <= MOST_CHARACTERS and value.isprintable()
    return str(value) if is_name else None


def read_word(event: Mapping[str, Any]) -> Word:
    """Read what a worker says of itself."""
    period_s = _read_number(event.get("freq"), least=0.001, most=LONGEST_PERIOD_S)
    return Word(
        kind=event["type"],
        period_s=PERIOD_S if period_s is None else period_s,
        pid=_read_count(event.get("pid")),
        at=_read_number(event.get("timestamp")) or 0.0,
    )


def read_pulse(event: Mapping[str, Any], *, now: float) -> Pulse:
    """Read the rest of it; `now` is our own clock."""
    at, load = _read_number(event.get("timestamp")), event.get("loadavg")
    loads = [_read_number(each) for each in load[:_LOADS]] if isinstance(load, list) else []
    return Pulse(
        active_count=_read_count(event.get("active")),
        processed_count=_read_count(event.get("processed")),
        clock=_read_count(event.get("clock")),
        load=tuple(each for each in loads if each is not None),
        software={word: read_name(event.get(field)) for word, field in _SOFTWARE.items()},
        skew_s=None if at is None else round(at - now, 1),
    )


_SOFTWARE: Final = {"ident": "sw_ident", "version": "sw_ver", "system": "sw_sys"}


def read_run_event(event: Mapping[str, Any], worker: str) -> RunEvent | None:
    """Read what an event tells of a run, if it does."""
    kind, task_id, at = _KINDS.get(event["type"]), event.get("uuid"), event.get("timestamp")
    if kind is None or not isinstance(task_id, str) or not is_task_id(task_id):
        return None
    moment = _read_moment(at)
    return None if moment is None else RunEvent(task_id, kind, moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), worker)


def read_answer(method: str, value: object) -> Any:
    """Read what a worker answers to a question; None for what is no answer to it."""
    read = _ANSWERS.get(method)
    return None if read is None else read(value)


def _read_names(value: object) -> tuple[str, ...] | None:
    """Read Celery names; a rate limit or an exchange may stand behind each."""
    if not isinstance(value, list):
        return None
    texts = (each.partition(" ")[0] for each in value[:MOST_NAMES] if isinstance(each, str))
    return tuple(sorted({intern(name) for each in texts if (name := read_name(each)) is not None}))


def _read_queues(value: object) -> tuple[str, ...] | None:
    return (
        _read_names([each.get("name") for each in value if isinstance(each, dict)]) if isinstance(value, list) else None
    )


def _read_tasks(value: object) -> Tasks | None:
    if not isinstance(value, list):
        return None
    return Tasks(tuple(_show_task(each) for each in value[:MOST_TASKS] if isinstance(each, dict)), len(value))


def _read_scheduled(value: object) -> Tasks | None:
    if not isinstance(value, list):
        return None
    items = [each for each in value[:MOST_TASKS] if isinstance(each, dict) and isinstance(each.get("request"), dict)]
    return Tasks(
        tuple({**_show_task(each["request"]), "eta": read_name(each.get("eta"))} for each in items), len(value)
    )


def _show_task(task: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of a worker's report what names the task: its arguments may hold secrets."""
    return {
        "task_id": read_name(task.get("id")),
        "name": read_name(task.get("name")),
        "started_at": _read_moment(task.get("time_start")),
        "pid": _read_count(task.get("worker_pid")),
    }


def _read_stats(value: object) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    pool, total = value.get("pool"), value.get("total")
    pool = pool if isinstance(pool, dict) else {}
    implementation = read_name(pool.get("implementation")) or ""
    counts = list(total.items())[:MOST_NAMES] if isinstance(total, dict) else []
    return {
        "pid": _read_count(value.get("pid")),
        "uptime_s": _read_count(value.get("uptime")),
        "processed": {
            name: count for name, each in counts if read_name(name) and (count := _read_count(each)) is not None
        },
        "prefetch": _read_count(value.get("prefetch_count")),
        "pool": implementation.rpartition(":")[0].rpartition(".")[2] or None,
        "concurrency": _read_count(pool.get("max-concurrency")),
    }


_ANSWERS: Final[dict[str, Callable[[object], Any]]] = {
    "registered": _read_names,
    "active_queues": _read_queues,
    "stats": _read_stats,
    "active": _read_tasks,
    "reserved": _read_tasks,
    "scheduled": _read_scheduled,
}


def _read_number(value: object, *, least: float = -_MOST, most: float = _MOST) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and least <= value <= most else None  # type: ignore[arg-type,operator] # a number


def _read_count(value: object) -> int | None:
    number = _read_number(value, least=0)
    return None if number is None else int(number)


def _read_moment(value: object) -> datetime | None:
    at = _read_number(value, least=0)
    try:
        return None if at is None else datetime.fromtimestamp(at, UTC)
    except (OverflowError, OSError, ValueError):
        return None
