"""Concurrency: which launches share a limit.

What comes in: the declared policy of a task type and the params of one launch. What goes out: the slot that the launch
must hold, as a value; a publisher takes it in one step with the launch.
"""

from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from gateway.config.model import Concurrency, OnConflict

_ENCODER = msgspec.json.Encoder(order="sorted")


class Slot(Struct, frozen=True, kw_only=True):
    """One of `limit` places; a launch without one does not happen."""

    name: str
    """The task type and a digest of the key's values: launches with equal names share the limit."""
    limit: int
    on_conflict: OnConflict
    lease_s: int
    """How long the slot is held at most, counted from when the task is due."""


def choose_slot(task_type: str, policy: Concurrency, params: dict[str, Any]) -> Slot:
    """Choose the slot of a launch; a key parameter that was not given counts as null."""
    values = _ENCODER.encode([params.get(name) for name in policy.key])
    return Slot(
        name=f"{task_type}:{blake2b(values, digest_size=16).hexdigest()}",
        limit=policy.limit,
        on_conflict=policy.on_conflict,
        lease_s=policy.lease_s,
    )
