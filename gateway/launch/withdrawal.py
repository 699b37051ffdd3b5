"""A message that shall not reach a worker any more: what is wanted, and what it means that it was taken back. Values only."""

from typing import Literal

from msgspec import Struct


class Withdrawal(Struct, frozen=True, kw_only=True):
    """A task whose message shall be taken back."""

    task_id: str
    queue: str
    is_started: bool
    """True when a worker is said to run it: then no message that is found proves that it does not run."""


REVOKE_REQUESTED = "REVOKE_REQUESTED"
"""A state of our own in Celery's records: it is not known whether the task has begun.

Any worker that is asked not to run a task writes at once that it is revoked, unless a state that it does not know stands
there, and so does one that never had it; the one that has it may die and come back, and run it. With this state there, only
the worker writes REVOKED that leaves the task.
"""
Taking = Literal["withdrawn", "confirmed"]
"""A message was taken out of the broker, or even before any worker had it: then it is certain that the task does not run."""
