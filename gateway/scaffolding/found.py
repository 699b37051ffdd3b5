"""What was found in a Celery app, as far as `tasks.yaml` can say it."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class FoundParameter(Struct, frozen=True, kw_only=True):
    """One parameter of a task's function."""

    name: str
    schema: Mapping[str, Any]
    is_optional: bool = False
    """True when it may be left out and no default can be written: the function's own then holds."""
    notes: tuple[str, ...] = ()
    """What the author of the file has to look at, each one clause."""


class FoundTask(Struct, frozen=True, kw_only=True):
    """One registered task."""

    key: str
    name: str
    description: str = ""
    queue: str | None = None
    time_limit_s: int | None = None
    soft_time_limit_s: int | None = None
    parameters: tuple[FoundParameter, ...] = ()
    notes: Mapping[str, str] = {}
    """By the line they belong to: a field's name, or the empty string for the task type itself."""


class FoundApp(Struct, frozen=True, kw_only=True):
    """A whole app."""

    reference: str
    """As it was given, `package.module:app`."""
    default_queue: str | None
    """None when it is the gateway's own default."""
    tasks: tuple[FoundTask, ...]
    left_out: tuple[str, ...]
    """Why each task that has no entry has none."""
