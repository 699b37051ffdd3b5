"""What the gateway stands on, and what it holds itself: the failures that may pass."""

from typing import ClassVar, Literal

from gateway.errors.root import GatewayError

Reason = Literal["unavailable", "full", "read_only", "cannot_save", "login", "busy", "refused"]
"""Why something the gateway stands on does not serve: each is mended differently."""


class BackendError(GatewayError):
    """Root of the failures of what the gateway stands on; all of them may pass."""

    code = "backend_unavailable"
    part: ClassVar[str] = "backend"

    def __init__(self, detail: str, *, reason: Reason = "unavailable") -> None:
        super().__init__(detail)
        if reason != "unavailable":
            self.code = f"{self.part}_{reason}"


class LedgerUnavailableError(BackendError):
    """Raised when the ledger does not answer in time, or not with what was asked; nothing was recorded."""

    code = "ledger_unavailable"
    part = "ledger"


class BrokerUnavailableError(BackendError):
    """Raised when the broker does not take a message; nothing was published."""

    code = "broker_unavailable"
    part = "broker"


class ResultsUnavailableError(BackendError):
    """Raised when the result backend does not answer in time."""

    code = "results_unavailable"
    part = "results"


class OutboxFullError(BackendError):
    """Raised when so many launches wait for a broker that is away that no more are taken."""

    code = "outbox_full"

    def __init__(self) -> None:
        super().__init__("too many launches wait for the broker to come back")


class UncertainPublishError(BackendError):
    """Raised when the connection broke after the message was sent and before the broker's answer."""

    code = "uncertain_publish"

    def __init__(self, task_id: str) -> None:
        super().__init__(f"the broker did not confirm task {task_id}; it may or may not run")
        self.task_id = task_id


class OverloadedError(BackendError):
    """Raised when more requests are under way than the process is allowed to hold."""

    code = "gateway_busy"

    def __init__(self) -> None:
        super().__init__("more requests are under way than this gateway holds")
