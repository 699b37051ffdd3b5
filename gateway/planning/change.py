"""The words of a plan: a finding about one schema, a change of one task type."""

from typing import Literal

from msgspec import Struct

Audience = Literal["callers", "workers", "nobody"]
Verdict = Literal["safe", "breaking"]
Kind = Literal["added", "removed", "changed", "narrowed", "widened", "unknown"]
Steps = tuple[str | int, ...]


class Finding(Struct, frozen=True, kw_only=True):
    """One difference between two schemas; `unknown` is one of which nobody can tell whether it narrows."""

    steps: Steps
    """From the schema's own root."""
    kind: Kind
    verdict: Verdict
    detail: str
    audience: Audience = "callers"


class Change(Struct, frozen=True, kw_only=True):
    """One change of a task type."""

    task_type: str
    path: str
    """Dotted, within the task type, as `parameters.months.maximum`; empty for the task type itself."""
    kind: Kind
    audience: Audience
    """Whom it concerns: those who launch, the workers that already run, or neither."""
    verdict: Verdict
    detail: str
    """One clause, without the path."""
