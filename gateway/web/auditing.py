"""The audit of requests: each that does something is on record, and each that was refused.

What comes in: what handlers note of what they did; the code of a problem, once its request has ended. What goes out: deeds, to
whoever keeps them. No value of a request is in them. It never waits, and a request that only reads passes it by.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from gateway.access.deed import ACCEPTED, Action, Deed
from gateway.flows.launching import Accepted
from gateway.ports import Audit
from gateway.web.answers import Scope
from gateway.web.origin import Networks, find_origin
from gateway.web.visit import WAITING, Visit, find_route, find_visit

MOST_NAMED: Final = 1000
REPLAYED: Final = "replayed"
JOINED: Final = "joined"
_REFUSALS: Final = frozenset({"unauthorized", "forbidden"})
"""Codes that are on record whatever was asked."""


class Auditor:
    """Hands what requests do to whoever keeps it."""

    def __init__(
        self,
        audit: Audit,
        *,
        prefix: str,
        trusted: Networks,
        clock: Callable[[], datetime],
    ) -> None:
        self.audit = audit
        self._trusted = trusted
        self._clock = clock
        tasks, task = f"{prefix}/tasks", f"{prefix}/tasks/{{task_id}}"
        self.actions: dict[tuple[str, str], Action] = {
            ("POST", f"{tasks}/launch"): "launch",
            ("POST", f"{tasks}/launch/{{task_type}}"): "launch",
            ("POST", f"{tasks}/launch/batch"): "launch",
            ("POST", f"{task}/retry"): "retry",
            ("DELETE", task): "revoke",
            ("POST", f"{tasks}/retry"): "retry_many",
            ("POST", f"{tasks}/revoke"): "revoke_many",
            ("POST", f"{prefix}/config/reload"): "reload",
        }

    def tell(self, scope: Scope, action: Action, outcome: str, **known: Any) -> None:
        """Hand on a deed of a request; `known` are members of it."""
        visit = find_visit(scope)
        deed = Deed(
            at=self._clock(),
            caller=visit.caller,
            origin=find_origin(scope, self._trusted),
            request_id=visit.request_id,
            action=action,
            outcome=outcome,
            **known,
        )
        self.audit.note(deed)

    def tell_launch(self, scope: Scope, visit: Visit, action: Action, accepted: Accepted) -> None:
        """Hand on a launch, as `tell` would at several times the cost: there are thousands a second."""
        receipt, launch = accepted.receipt, accepted.launch
        deed = Deed(
            at=receipt.launched_at if launch is not None else self._clock(),
            caller=visit.caller,
            origin=find_origin(scope, self._trusted),
            request_id=visit.request_id,
            action=action,
            outcome=REPLAYED if accepted.is_replay else JOINED if receipt.is_joined else ACCEPTED,
            task_type=receipt.task_type,
            task_id=receipt.task_id,
            params_digest=None if launch is None else self.audit.sign(launch.public_params),
        )
        self.audit.note(deed)

    def tell_refusal(self, scope: Scope, code: str) -> None:
        """Hand on that a request was refused, if it would have done something, or its caller may not even ask."""
        visit = find_visit(scope)
        route = find_route(scope, visit).removesuffix(WAITING)
        action = self.actions.get((scope.get("method", ""), route))
        if action is not None or code in _REFUSALS:
            self.tell(scope, action or "access", code, task_id=visit.task_id, task_type=visit.task_type)


def note_launch(scope: Scope, visit: Visit, action: Action, accepted: Accepted) -> None:
    """Note that something was launched, or had been before."""
    auditor: Auditor | None = visit.auditor
    if auditor is not None:
        auditor.tell_launch(scope, visit, action, accepted)


def note_refused_item(scope: Scope, code: str) -> None:
    """Note that an item of a batch was not launched."""
    auditor: Auditor | None = find_visit(scope).auditor
    if auditor is not None:
        auditor.tell(scope, "launch", code)


def note_many(scope: Scope, action: Action, task_ids: Sequence[str], *, count: int) -> None:
    """Note that many tasks were dealt with, of which the first are named."""
    auditor: Auditor | None = find_visit(scope).auditor
    if auditor is not None:
        auditor.tell(scope, action, ACCEPTED, task_ids=tuple(task_ids[:MOST_NAMED]), count=count)


def note(scope: Scope, action: Action, *, task_id: str | None = None) -> None:
    """Note that something was done."""
    auditor: Auditor | None = find_visit(scope).auditor
    if auditor is not None:
        auditor.tell(scope, action, ACCEPTED, task_id=task_id)
