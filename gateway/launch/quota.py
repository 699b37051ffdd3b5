"""Quotas: how often a caller may launch.

What comes in: the rates of a task type and of the gateway, and who asks. What goes out: the quotas that a launch takes one
unit of each, as values; a publisher takes them in one step with the launch, or says when there will be room.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal

from msgspec import Struct

from gateway.config.rates import Rate
from gateway.errors import Allowance

Policy = Literal["caller", "task-type"]
PARTS = 100
"""A period is counted in so many parts: a launch counts for its period, and for up to one part longer."""


class Quota(Struct, frozen=True, kw_only=True):
    """How many launches share one rate."""

    policy: Policy
    """`caller` for all that a caller launches, `task-type` for what a caller launches of one task type."""
    key: str
    """Launches with equal keys share it; a digest of the caller, who may have any name, stands for the caller."""
    rate: Rate


class Room(Struct, frozen=True, kw_only=True):
    """What is left of a quota."""

    remaining: int
    renews_ms: int
    """When there is more of it."""


def choose_quotas(task_type: str, *, own: Rate | None, overall: Rate | None, caller: str) -> tuple[Quota, ...]:
    """Choose the quotas of a launch: of its task type, and of all that its caller launches."""
    if own is None and overall is None:
        return ()
    who = blake2b(caller.encode(), digest_size=12).hexdigest()
    found = []
    if overall is not None:
        found.append(Quota(policy="caller", key=f"{who}:{overall.period_s}", rate=overall))
    if own is not None:
        found.append(Quota(policy="task-type", key=f"{who}:{own.period_s}:{task_type}", rate=own))
    return tuple(found)


def show_allowances(quotas: Sequence[Quota], rooms: Sequence[Room]) -> tuple[Allowance, ...]:
    """Tell a caller what is left of quotas."""
    return tuple(
        Allowance(
            policy=quota.policy,
            count=quota.rate.count,
            period_s=quota.rate.period_s,
            remaining=room.remaining,
            renews_s=round_up(room.renews_ms),
        )
        for quota, room in zip(quotas, rooms, strict=True)
    )


def round_up(duration_ms: int) -> int:
    """Return whole seconds, never too few."""
    return -(-duration_ms // 1000)
