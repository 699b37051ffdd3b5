"""The parameters of one task type in two versions: what callers may no longer send, and what workers now receive."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from gateway.config import Config, Parameter, Schema, TaskSpec
from gateway.planning.annotations import compare_annotations
from gateway.planning.change import Finding, Kind
from gateway.planning.sides import Side, write
from gateway.planning.widening import compare_schemas
from gateway.schema.filling import find_default


class _Input(Struct, frozen=True, kw_only=True):
    """One parameter of one version."""

    parameter: Parameter
    side: Side
    default: tuple[Any] | None

    @property
    def is_required(self) -> bool:
        required = self.parameter.required
        return self.default is None if required is None else required

    @property
    def is_filled(self) -> bool:
        """True when a launch without it gets its default."""
        return self.default is not None and not self.is_required

    @property
    def is_always_sent(self) -> bool:
        return self.is_required or self.default is not None

    def show_default(self) -> str:
        if self.default is None:
            return "none"
        return "a secret" if self.parameter.secret else write(self.default[0])


def compare_parameters(old: TaskSpec, new: TaskSpec, *, before: Config, after: Config) -> Iterator[Finding]:
    """Compare all parameters; the steps begin with the parameter's name."""
    inputs_old, inputs_new = _read(old, before.schemas), _read(new, after.schemas)
    for name, each in inputs_old.items():
        if name not in inputs_new:
            yield from _remove(name, each)
        else:
            yield from _compare(name, each, inputs_new[name], is_ruled=_is_ruled(new, name))
    for name, each in inputs_new.items():
        if name not in inputs_old:
            yield from _add(name, each, is_ruled=_is_ruled(new, name))


def _read(spec: TaskSpec, named: Mapping[str, Schema]) -> dict[str, _Input]:
    return {
        name: _Input(
            parameter=each, side=Side(each.schema, each.schema, named), default=find_default(each.schema, named=named)
        )
        for name, each in spec.parameters.items()
    }


def _is_ruled(spec: TaskSpec, name: str) -> bool:
    """Tell whether a rule may look at a parameter: by its name, or by taking params as a whole."""
    patterns = (rf"\b{name}\b", r"\bparams\b(?!\s*\.)")
    return any(re.search(pattern, rule.rule) for rule in spec.rules for pattern in patterns)


def _add(name: str, new: _Input, *, is_ruled: bool) -> Iterator[Finding]:
    if new.is_required:
        yield _break(name, "added", "a new required parameter")
        yield _break(name, "added", "always sent now: a worker that does not know it fails", audience="workers")
    elif new.is_filled:
        detail = f"a new parameter, {new.show_default()} when left out"
        yield (
            _break(name, "added", f"{detail}, and a rule may refuse that")
            if is_ruled
            else _allow(name, "added", detail)
        )
        detail = "always sent now, by its default: a worker that does not know it fails"
        yield _break(name, "added", detail, audience="workers")
    else:
        yield _allow(name, "added", "a new optional parameter")
        detail = "safe until a caller sends it: a worker that does not know it fails then"
        yield _allow(name, "added", detail, audience="workers")


def _remove(name: str, old: _Input) -> Iterator[Finding]:
    yield _break(name, "removed", "the parameter is refused now")
    if old.is_always_sent:
        yield _break(name, "removed", "no longer sent: a worker whose function needs it fails", audience="workers")
    else:
        yield _allow(name, "removed", "no longer sent: it could be left out before", audience="workers")


def _compare(name: str, old: _Input, new: _Input, *, is_ruled: bool) -> Iterator[Finding]:
    is_secret = old.parameter.secret or new.parameter.secret
    findings = [
        *_compare_presence(name, old, new),
        *_compare_default(name, old, new, is_ruled=is_ruled),
        *_below(name, compare_schemas(old.side, new.side)),
        *_below(name, compare_annotations(old.side, new.side, is_ruled=is_ruled, is_secret=is_secret)),
    ]
    if old.parameter.secret != new.parameter.secret:
        detail = "kept to the worker from now on" if new.parameter.secret else "recorded and shown from now on"
        findings.append(_allow(name, "changed", detail, "secret", audience="nobody"))
    if not findings and write(old.parameter.schema) != write(new.parameter.schema):
        findings.append(_allow(name, "changed", "said in other words", audience="nobody"))
    yield from findings


def _compare_presence(name: str, old: _Input, new: _Input) -> Iterator[Finding]:
    if new.is_required and not old.is_required:
        yield _break(name, "narrowed", "became required", "required")
    if old.is_required and not new.is_required:
        yield _allow(name, "widened", "may be left out", "required")
        if not new.is_filled:
            detail = "safe until a caller leaves it out: a worker whose function needs it fails then"
            yield _allow(name, "widened", detail, "required", audience="workers")


def _compare_default(name: str, old: _Input, new: _Input, *, is_ruled: bool) -> Iterator[Finding]:
    if new.is_required or (write(old.default) == write(new.default)):
        return
    if new.default is None:
        if old.is_filled:
            yield _break(name, "removed", f"{old.show_default()} is no longer filled in when it is left out", "default")
            detail = "missing now when it is left out: a worker whose function needs it fails"
            yield _break(name, "removed", detail, "default", audience="workers")
    elif not old.is_required:
        kind: Kind = "added" if old.default is None else "changed"
        detail = f"from {old.show_default()} to {new.show_default()} when it is left out"
        if is_ruled:
            yield _break(name, kind, f"{detail}, and a rule may refuse that", "default")
        else:
            yield _allow(name, kind, detail, "default")


def _below(name: str, findings: list[Finding]) -> Iterator[Finding]:
    for each in findings:
        yield Finding(
            steps=(name, *each.steps),
            kind=each.kind,
            verdict=each.verdict,
            detail=each.detail,
            audience=each.audience,
        )


def _break(name: str, kind: Kind, detail: str, *steps: str, audience: Any = "callers") -> Finding:
    return Finding(steps=(name, *steps), kind=kind, verdict="breaking", detail=detail, audience=audience)


def _allow(name: str, kind: Kind, detail: str, *steps: str, audience: Any = "callers") -> Finding:
    return Finding(steps=(name, *steps), kind=kind, verdict="safe", detail=detail, audience=audience)
