"""Refusals of what is sound, because there is too much of it."""

from msgspec import Struct

from gateway.errors.root import GatewayError, LaunchError


class Allowance(Struct, frozen=True, kw_only=True):
    """What is left of one quota of a caller."""

    policy: str
    """`caller` for all launches of a caller, `task-type` for those of one task type."""
    count: int
    """So many in any `period_s` seconds."""
    period_s: int
    remaining: int
    renews_s: int
    """In so many seconds there is more of it."""


class ConcurrencyLimitError(LaunchError):
    """Raised when tasks that are under way hold all places of the launch's concurrency limit."""

    code = "concurrency_limit"

    def __init__(self, holders: tuple[str, ...]) -> None:
        super().__init__(f"held by {', '.join(holders[:8])}: the limit of this task type is reached")
        self.holders = holders


class QueueFullError(LaunchError):
    """Raised when as many messages wait in the queue as the task type allows."""

    code = "queue_full"

    def __init__(self, depth: int) -> None:
        super().__init__(f"{depth} messages wait in its queue already")


class RateLimitedError(LaunchError):
    """Raised when a caller has launched as often as it may; says when it may again."""

    code = "rate_limited"

    def __init__(self, exhausted: Allowance, *, retry_after_s: int, allowances: tuple[Allowance, ...]) -> None:
        what = "of this task type" if exhausted.policy == "task-type" else "in all"
        noun = "launch" if exhausted.count == 1 else "launches"
        super().__init__(f"you may have {exhausted.count} {noun} {what} in any {exhausted.period_s} s")
        self.retry_after_s = retry_after_s
        self.allowances = allowances


class TooManyWaitsError(GatewayError):
    """Raised when a caller has as many requests waiting, and streams open, as it may."""

    code = "too_many_waits"
    retry_after_s = 5

    def __init__(self) -> None:
        super().__init__("you have too many requests waiting and streams open at this gateway")
