"""Two versions of the file, task type by task type.

What comes in: two configs without issues. What goes out: every change, with whom it concerns and whether it breaks. A
renamed Celery name or another queue breaks for workers, which run before and after the change.
"""

from collections.abc import Iterator

import msgspec

from gateway.access.rights import VERBS, list_roles
from gateway.config import Config, TaskSpec
from gateway.config.model import RECONCILE_AFTER_S, Access, Concurrency, Delivery
from gateway.config.rates import read_rate
from gateway.planning.change import Audience, Change, Finding, Kind, Verdict
from gateway.planning.parameters import compare_parameters

_WORDS = ("title", "description", "tags", "examples", "deprecated")
_LIMITS: tuple[tuple[str, Audience, str], ...] = (
    ("expires_s", "callers", "tasks that waited longer were still run"),
    ("keep_s", "callers", "tasks that finished earlier could still be read"),
    ("time_limit_s", "workers", "tasks that ran longer were not killed"),
    ("soft_time_limit_s", "workers", "tasks that ran longer were not interrupted"),
    ("max_queued", "callers", "launches into a deeper queue were taken"),
)
_STRICTNESS = ("queue", "warn", "reject")
_AUDIENCES = ("callers", "workers", "nobody")


def compare(old: Config, new: Config, *, default_queue: str = "celery", keep_s: int = 604_800) -> tuple[Change, ...]:
    """Compare two configs; `default_queue` and `keep_s` are the gateway's, for task types that leave them out.

    Shape: by task type in the order of the old file, then of the new one; what breaks comes first in each.
    """
    given: dict[str, str | int] = {
        "queue": default_queue,
        "keep_s": keep_s,
        "delivery": "at_least_once",
        "reconcile_after_s": RECONCILE_AFTER_S,
    }
    changes: list[Change] = []
    for key in [*old.tasks, *(key for key in new.tasks if key not in old.tasks)]:
        if key not in new.tasks:
            found = [_find_removed(key, old.tasks[key], new)]
        elif key not in old.tasks:
            found = [Finding(steps=(), kind="added", verdict="safe", detail="a new task type")]
        else:
            specs = [_fill(config.tasks[key], given) for config in (old, new)]
            found = list(_compare(key, *specs, old=old, new=new))
        changes += sorted((_make_change(key, each) for each in found), key=_rank)
    return tuple(changes)


def _make_change(key: str, finding: Finding) -> Change:
    return Change(
        task_type=key,
        path=".".join(str(step) for step in finding.steps),
        kind=finding.kind,
        audience=finding.audience,
        verdict=finding.verdict,
        detail=finding.detail,
    )


def _rank(change: Change) -> tuple[bool, int]:
    return change.verdict == "safe", _AUDIENCES.index(change.audience)


def _find_removed(key: str, spec: TaskSpec, new: Config) -> Finding:
    name = spec.name or key
    heirs = [other for other, each in new.tasks.items() if (each.name or other) == name]
    hint = f"; `{heirs[0]}` launches the same task" if heirs else ""
    return Finding(steps=(), kind="removed", verdict="breaking", detail=f"the task type is gone{hint}")


def _fill(spec: TaskSpec, given: dict[str, str | int]) -> TaskSpec:
    missing = {name: value for name, value in given.items() if getattr(spec, name) is None}
    return msgspec.structs.replace(spec, **missing)


def _compare(key: str, before: TaskSpec, after: TaskSpec, *, old: Config, new: Config) -> Iterator[Finding]:
    yield from _compare_address(key, before, after)
    yield from _compare_limits(before, after)
    yield from _compare_policies(before, after)
    yield from _compare_options(before, after)
    yield from _compare_delivery(before.delivery, after.delivery)
    yield from _compare_access(before.access or Access(), after.access or Access())
    if before.reconcile_after_s != after.reconcile_after_s:
        detail = f"from {_show(before.reconcile_after_s)} to {_show(after.reconcile_after_s)}"
        yield _find("reconcile_after_s", "changed", "nobody", "safe", detail)
    yield from _compare_concurrency(before.concurrency, after.concurrency)
    yield from _compare_rates(before.rate_limit, after.rate_limit)
    for finding in compare_parameters(before, after, before=old, after=new):
        yield msgspec.structs.replace(finding, steps=("parameters", *finding.steps))
    yield from _compare_rules(before, after)
    for word in _WORDS:
        if getattr(before, word) != getattr(after, word):
            detail = f"now {str(after.deprecated).lower()}" if word == "deprecated" else "changed"
            yield _find(word, "changed", "nobody", "safe", detail)


def _compare_address(key: str, before: TaskSpec, after: TaskSpec) -> Iterator[Finding]:
    old_name, new_name = before.name or key, after.name or key
    if old_name != new_name:
        detail = f"from {old_name} to {new_name}: a worker that registers only the old name refuses the task"
        yield _find("name", "changed", "workers", "breaking", detail)
    if before.queue != after.queue:
        detail = f"from {before.queue} to {after.queue}: workers may not consume it"
        yield _find("queue", "changed", "workers", "breaking", detail)
    if before.priority != after.priority:
        detail = f"from {_show(before.priority)} to {_show(after.priority)}"
        yield _find("priority", "changed", "nobody", "safe", detail)


def _compare_limits(before: TaskSpec, after: TaskSpec) -> Iterator[Finding]:
    for name, audience, loss in _LIMITS:
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
            continue
        is_shorter = new is not None and (old is None or new < old)
        detail = f"from {_show(old)} to {_show(new)}"
        if is_shorter:
            yield _find(name, "narrowed", audience, "breaking", f"{detail}: {loss}")
        else:
            yield _find(name, "widened", audience, "safe", detail)


def _compare_policies(before: TaskSpec, after: TaskSpec) -> Iterator[Finding]:
    old, new = before.when_unavailable or "queue", after.when_unavailable or "queue"
    if old == new:
        return
    detail = f"from {old} to {new}"
    if new == "reject":
        loss = "launches were taken while no live worker would run them"
        yield _find("when_unavailable", "narrowed", "callers", "breaking", f"{detail}: {loss}")
    else:
        is_wider = _STRICTNESS.index(new) < _STRICTNESS.index(old)
        yield _find("when_unavailable", "widened" if is_wider else "changed", "callers", "safe", detail)


def _compare_options(before: TaskSpec, after: TaskSpec) -> Iterator[Finding]:
    old, new = before.caller_options or (), after.caller_options or ()
    for option in old:
        if option not in new:
            yield _find("caller_options", "removed", "callers", "breaking", f"`{option}` is refused now")
    for option in new:
        if option not in old:
            yield _find("caller_options", "added", "callers", "safe", f"`{option}` may be set")


def _compare_delivery(old: Delivery | None, new: Delivery | None) -> Iterator[Finding]:
    if old == new:
        return
    audience: Audience = "callers" if new == "at_most_once" else "workers"
    loss = (
        "a task whose worker died was run again"
        if new == "at_most_once"
        else "a task may run twice, and has to bear it"
    )
    yield _find("delivery", "changed", audience, "breaking", f"from {old} to {new}: {loss}")


def _compare_access(old: Access, new: Access) -> Iterator[Finding]:
    """Compare what roles may do; a role that loses something is a caller who is refused."""
    for verb in VERBS:
        before, after = list_roles(old, verb), list_roles(new, verb)
        for role in sorted(before - after):
            yield _find(f"access.{verb}", "removed", "callers", "breaking", f"{role} may no longer")
        for role in sorted(after - before):
            yield _find(f"access.{verb}", "added", "callers", "safe", f"{role} may now")


def _compare_concurrency(old: Concurrency | None, new: Concurrency | None) -> Iterator[Finding]:
    if old == new:
        return
    if new is None:
        yield _find("concurrency", "removed", "callers", "safe", "any number may be under way")
    elif old is None:
        yield _find("concurrency", "added", "callers", "breaking", f"at most {new}: any number could be")
    else:
        is_wider = new.limit >= old.limit and set(new.key) >= set(old.key) and new.on_conflict == old.on_conflict
        kind: Kind = "widened" if is_wider else "changed"
        verdict: Verdict = "safe" if is_wider else "breaking"
        detail = f"from at most {old} to {new}"
        yield _find("concurrency", kind, "callers", verdict, detail)


def _compare_rates(old: str | None, new: str | None) -> Iterator[Finding]:
    """Compare how often a caller may launch; a rate over another time is neither more nor less."""
    if old == new:
        return
    before, after = old and read_rate(old), new and read_rate(new)
    is_wider = not after or (before and before.period_s == after.period_s and before.count < after.count)
    detail = f"from {_show(old)} to {_show(new)}"
    if is_wider:
        yield _find("rate_limit", "widened", "callers", "safe", detail)
    else:
        yield _find("rate_limit", "narrowed", "callers", "breaking", f"{detail}: callers may have launched more often")


def _compare_rules(before: TaskSpec, after: TaskSpec) -> Iterator[Finding]:
    old, new = {rule.rule: rule for rule in before.rules}, {rule.rule: rule for rule in after.rules}
    for source, rule in new.items():
        if source not in old:
            yield _find("rules", "added", "callers", "breaking", f"a new rule: {source}")
        elif rule != old[source]:
            yield _find("rules", "changed", "nobody", "safe", f"other words for: {source}")
    for source in old:
        if source not in new:
            yield _find("rules", "removed", "callers", "safe", f"a rule is gone: {source}")


def _find(step: str, kind: Kind, audience: Audience, verdict: Verdict, detail: str) -> Finding:
    return Finding(steps=(step,), kind=kind, audience=audience, verdict=verdict, detail=detail)


def _show(value: object) -> str:
    return "none" if value is None else str(value)
