"""A status for those who may follow a task, and not read what it returned. Pure."""

from msgspec.structs import replace

from gateway.status.status import TaskStatus

WITHHELD = "withheld"


def withhold(status: TaskStatus) -> TaskStatus:
    """Leave out what a task said: its result, its error and the words of its progress."""
    has_said = status.result is not None or status.result_omitted is not None or status.error is not None
    progress = status.progress
    return replace(
        status,
        result=None,
        result_omitted=WITHHELD if has_said else None,
        result_url=None,
        error=None,
        progress=None if progress is None else replace(progress, message=None),
    )
