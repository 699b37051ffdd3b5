"""Every exception of the gateway, drawn as one tree.

What goes out: classes with a stable `code`. Nothing here knows of HTTP; `web/problems.py` alone
turns a class into a status. A message never holds a secret nor a whole body.

    GatewayError
      SettingsError             the environment does not make a gateway
        UnsafeError             what the gateway stands on can lose launches, and that is not allowed
      ConfigError               tasks.yaml has issues, all of them listed
      LaunchError
        MalformedBodyError      the body is not JSON that may travel to a worker
        RefusedParamsError      the body is JSON, but not what the task type declares
          ParamsNoLongerFitError  what was recorded is not what it declares today
        UnknownTaskTypeError    no such entry in the catalog
        ForbiddenError          there is, and the caller may not do that with it
        IdempotencyKeyReusedError   the key belongs to another request
        LaunchInFlightError     the key's launch has not ended
        AlreadyRetriedError     the task was retried with other params
        TaskTypeGoneError       the task that is retried is of no type any more
        ConcurrencyLimitError   the same work is under way
        QueueFullError          too many messages wait
        TaskUnavailableError    no live worker would run it
        RateLimitedError        the caller launched as often as it may
        WithheldError           another item of its batch was refused
      UnknownCallerError        whoever asks presents no key or token that is known
      UnknownTaskError          no such task was ever launched here
      ForgottenTaskError        it was, but its ledger row has expired
      TaskFinishedError         too late: the task has ended
      TaskUnfinishedError       too early: the task has not ended
      NoResultError             the task has no result, or none any more
      TooManyWaitsError         the caller has as many requests waiting as it may
      BackendError
        LedgerUnavailableError
        BrokerUnavailableError
        ResultsUnavailableError
        OutboxFullError         too many launches wait for a broker that is away
        UncertainPublishError   the message may or may not have reached the broker
        OverloadedError         more requests than the process holds
"""

from gateway.defects import Fault, Issue
from gateway.errors.limits import (
    Allowance,
    ConcurrencyLimitError,
    QueueFullError,
    RateLimitedError,
    TooManyWaitsError,
)
from gateway.errors.outages import (
    BackendError,
    BrokerUnavailableError,
    LedgerUnavailableError,
    OutboxFullError,
    OverloadedError,
    Reason,
    ResultsUnavailableError,
    UncertainPublishError,
)
from gateway.errors.root import GatewayError, LaunchError

__all__ = [
    "Allowance",
    "AlreadyRetriedError",
    "BackendError",
    "BrokerUnavailableError",
    "ConcurrencyLimitError",
    "ConfigError",
    "Fault",
    "ForbiddenError",
    "ForgottenTaskError",
    "GatewayError",
    "IdempotencyKeyReusedError",
    "Issue",
    "LaunchError",
    "LaunchInFlightError",
    "LedgerUnavailableError",
    "MalformedBodyError",
    "NoResultError",
    "OutboxFullError",
    "OverloadedError",
    "ParamsNoLongerFitError",
    "QueueFullError",
    "RateLimitedError",
    "Reason",
    "RefusedParamsError",
    "ResultsUnavailableError",
    "SettingsError",
    "TaskFinishedError",
    "TaskTypeGoneError",
    "TaskUnavailableError",
    "TaskUnfinishedError",
    "TooManyWaitsError",
    "UncertainPublishError",
    "UnknownCallerError",
    "UnknownTaskError",
    "UnknownTaskTypeError",
    "UnsafeError",
    "WithheldError",
]


class SettingsError(GatewayError):
    """Raised at start when the environment or the command line cannot be served from."""

    code = "bad_settings"


class UnsafeError(SettingsError):
    """Raised at start in strict mode when what the gateway stands on can lose what it accepts."""

    code = "unsafe"


class ConfigError(GatewayError):
    """Raised when `tasks.yaml` has issues; holds every one of them."""

    code = "bad_config"

    def __init__(self, issues: tuple[Issue, ...]) -> None:
        super().__init__("\n".join(str(issue) for issue in issues))
        self.issues = issues


class MalformedBodyError(LaunchError):
    """Raised when a body is not JSON that reaches a worker unchanged.

    Source: RFC 8259; duplicate keys, invalid UTF-8, excess depth and numbers beyond 64 bits.
    """

    code = "malformed_body"


class RefusedParamsError(LaunchError):
    """Raised when a body is well-formed but not what is declared; holds every fault."""

    code = "refused_params"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        noun = "fault" if len(faults) == 1 else "faults"
        super().__init__(f"the request has {len(faults)} {noun}")
        self.faults = faults


class ParamsNoLongerFitError(RefusedParamsError):
    """Raised for a retry when the params of the first launch are no longer what its task type declares."""

    code = "params_no_longer_fit"

    def __init__(self, faults: tuple[Fault, ...], *, digest_then: str, digest_now: str) -> None:
        super().__init__(faults)
        noun = "fault" if len(faults) == 1 else "faults"
        detail = f"the recorded params no longer fit the task type as it is declared today: {len(faults)} {noun}"
        self.args = (f"{detail}; set what differs in params, or launch it anew",)
        self.digest_then = digest_then
        self.digest_now = digest_now


class UnknownTaskTypeError(LaunchError):
    """Raised when the catalog has no such task type; names the nearest ones."""

    code = "unknown_task_type"

    def __init__(self, task_type: str, *, near: tuple[str, ...] = ()) -> None:
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        super().__init__(f"no task type {task_type[:128]!r}{hint}")
        self.near = near


class ForbiddenError(LaunchError):
    """Raised when a caller may know of something, and not do what was asked with it."""

    code = "forbidden"


class IdempotencyKeyReusedError(LaunchError):
    """Raised when an Idempotency-Key comes again with another request."""

    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key belongs to another request")


class LaunchInFlightError(LaunchError):
    """Raised when an Idempotency-Key comes again before the first request has been answered."""

    code = "launch_in_flight"

    def __init__(self) -> None:
        super().__init__("the launch with this Idempotency-Key has not ended yet")


class AlreadyRetriedError(LaunchError):
    """Raised when a task is retried that was retried before, with other params; names that retry."""

    code = "already_retried"

    def __init__(self, task_id: str) -> None:
        super().__init__(f"this task was retried already, with other params, as {task_id}; `force` retries it again")
        self.task_id = task_id


class TaskTypeGoneError(LaunchError):
    """Raised when a task is retried whose type is no longer in the catalog."""

    code = "task_type_gone"

    def __init__(self, task_type: str, *, near: tuple[str, ...] = ()) -> None:
        hint = f"; {' or '.join(map(repr, near))} is" if near else ""
        super().__init__(f"the task type {task_type[:128]!r} of this task is no longer in the catalog{hint}")
        self.near = near


class TaskUnavailableError(LaunchError):
    """Raised when no live worker would run a task, and its type is not to be queued then."""

    code = "task_unavailable"


class WithheldError(LaunchError):
    """Raised for an item of an all-or-nothing batch that was sound, while another one was not."""

    code = "withheld"

    def __init__(self) -> None:
        super().__init__("another item of the batch was refused")


class UnknownCallerError(GatewayError):
    """Raised when a request presents no key or token, or none that is known and valid; it does not say which."""

    code = "unauthorized"

    def __init__(self) -> None:
        super().__init__("send a valid API key or token: Authorization: Bearer …, or X-API-Key")


class UnknownTaskError(GatewayError):
    """Raised for a `task_id` that was never launched through this ledger."""

    code = "unknown_task"

    def __init__(self) -> None:
        super().__init__("no task with this id was launched here")


class ForgottenTaskError(GatewayError):
    """Raised for a `task_id` that was launched here, but whose ledger row has expired."""

    code = "forgotten_task"

    def __init__(self) -> None:
        super().__init__("this task was launched here, but is no longer remembered")


class TaskFinishedError(GatewayError):
    """Raised when a revoke comes after the task's final status."""

    code = "task_finished"

    def __init__(self, status: str) -> None:
        super().__init__(f"the task has already ended with {status}")


class TaskUnfinishedError(GatewayError):
    """Raised when a retry comes before the task's final status."""

    code = "task_unfinished"

    def __init__(self, status: str) -> None:
        super().__init__(f"the task has not ended yet: its status is {status}")


class NoResultError(GatewayError):
    """Raised when the result of a task is asked for that has none yet, or whose result is no longer kept."""

    code = "no_result"

    def __init__(self) -> None:
        super().__init__("the result backend holds nothing of this task: it has not ended, or its result has expired")
