"""A compiled task type: what one entry of `tasks.yaml` means."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gateway.catalog.rules import CompiledRule
from gateway.config.model import Concurrency, Delivery, WhenUnavailable
from gateway.config.rates import Rate
from gateway.errors import RefusedParamsError
from gateway.schema import ParameterSet


class TaskType(Struct, frozen=True, kw_only=True):
    """One task type, ready to be launched."""

    task_type: str
    name: str
    title: str
    description: str
    tags: tuple[str, ...]
    params: ParameterSet
    rules: tuple[CompiledRule, ...]
    examples: tuple[dict[str, Any], ...]
    queue: str
    priority: int | None
    is_plain: bool
    """Its messages are JSON on the default exchange."""
    expires_s: int | None
    time_limit_s: int | None
    soft_time_limit_s: int | None
    keep_s: int
    max_delay_s: int | None
    """A launch may not be due later than that; None where the broker does not mind."""
    max_queued: int | None
    rate_limit: Rate | None
    """How often a caller may launch it."""
    delivery: Delivery
    when_unavailable: WhenUnavailable
    reconcile_after_s: int
    concurrency: Concurrency | None
    caller_options: frozenset[str]
    deprecated: bool
    access: Mapping[str, tuple[str, ...]] = {}
    """The roles that may do each verb, beside `admin`; only shown: what decides is the catalog's `rights`."""

    def accept(self, params: Any) -> dict[str, Any]:
        """Return params with their defaults; rules are evaluated once every parameter is sound by itself.

        Raises: RefusedParamsError with every fault.
        """
        return self._check_rules(self.params.accept(params))

    def accept_body(self, raw: bytes) -> dict[str, Any]:
        """Return the params of a body that holds nothing else, as `accept` would.

        Raises: MalformedBodyError; RefusedParamsError with every fault.
        """
        return self._check_rules(self.params.accept_body(raw))

    def _check_rules(self, accepted: dict[str, Any]) -> dict[str, Any]:
        if self.rules:
            faults = tuple(fault for rule in self.rules if (fault := rule.check(accepted)) is not None)
            if faults:
                raise RefusedParamsError(faults)
        return accepted


class RuleEntry(Struct, frozen=True, kw_only=True):
    """A rule as callers see it."""

    rule: str
    message: str
    parameter: str | None


class CatalogEntry(Struct, frozen=True, kw_only=True):
    """A task type as callers see it."""

    task_type: str
    name: str
    title: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema 2020-12 of the params object."""
    rules: tuple[RuleEntry, ...]
    """CEL over `params`, beyond what the schema says."""
    queue: str
    tags: tuple[str, ...]
    deprecated: bool
    examples: tuple[dict[str, Any], ...]
    caller_options: tuple[str, ...]
    concurrency: Concurrency | None
    rate_limit: str | None
    """How often a caller may launch it, as `60/m`."""
    launch_url: str
    availability: str
    """`available`; `no_worker`: no live worker registers the name; `no_consumer`: none consumes the queue; `unknown`: nobody
    could be asked."""
    availability_reason: str | None
    """Why it is not available."""


def show(task_type: TaskType, *, prefix: str, availability: str, reason: str | None) -> CatalogEntry:
    """Describe a task type to callers; `prefix` is the path before `/tasks`."""
    return CatalogEntry(
        task_type=task_type.task_type,
        name=task_type.name,
        title=task_type.title,
        description=task_type.description,
        parameters=task_type.params.json_schema,
        rules=tuple(
            RuleEntry(rule=rule.source, message=rule.message, parameter=rule.parameter) for rule in task_type.rules
        ),
        queue=task_type.queue,
        tags=task_type.tags,
        deprecated=task_type.deprecated,
        examples=task_type.examples,
        caller_options=tuple(sorted(task_type.caller_options)),
        concurrency=task_type.concurrency,
        rate_limit=None if task_type.rate_limit is None else str(task_type.rate_limit),
        launch_url=f"{prefix}/tasks/launch/{task_type.task_type}",
        availability=availability,
        availability_reason=reason,
    )
