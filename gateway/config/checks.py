"""What a task type's keys must say of each other."""

from collections.abc import Iterator, Sequence

from gateway.config.document import Document, Path
from gateway.config.model import TaskSpec
from gateway.config.reading import make_issue
from gateway.config.words import list_choices, show_text, suggest
from gateway.errors import Issue

RESERVED_KEYS = frozenset({"batch"})
"""Segments of the launch path that are routes of their own."""
RESERVED_PARAMETERS = frozenset({"self"})
"""Names that a Celery task's own signature takes."""


def check_task(document: Document, key: str, spec: TaskSpec) -> Iterator[Issue]:
    """Find what is wrong with a task type that is sound key by key; defaults are applied already."""
    path = ("tasks", key)
    if key.casefold() in RESERVED_KEYS:
        yield make_issue(
            document, path, f"the key `{key}`", "another one: `/tasks/launch/batch` is a route of its own", is_key=True
        )
    for name in RESERVED_PARAMETERS & spec.parameters.keys():
        at = (*path, "parameters", name)
        yield make_issue(document, at, f"the parameter `{name}`", "a name that Celery does not use itself", is_key=True)
    yield from _check_limits(document, key, spec)
    yield from _check_rules(document, key, spec)
    yield from _check_concurrency(document, key, spec)
    for name in ("tags", "caller_options"):
        yield from _check_once(document, (*path, name), getattr(spec, name) or ())


def _check_once(document: Document, path: Path, items: Sequence[str]) -> Iterator[Issue]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        if item in seen:
            yield make_issue(document, (*path, index), f"`{item}` again", "each once")
        seen.add(item)


def _check_limits(document: Document, key: str, spec: TaskSpec) -> Iterator[Issue]:
    path = ("tasks", key)
    soft, hard = spec.soft_time_limit_s, spec.time_limit_s
    if soft is not None and hard is not None and soft >= hard:
        why = "the worker would kill the task before it warns it"
        if _choose_blamed(document, path, "soft_time_limit_s", "time_limit_s") == "time_limit_s":
            yield make_issue(
                document, (*path, "time_limit_s"), str(hard), f"more than soft_time_limit_s, {soft}: {why}"
            )
        else:
            yield make_issue(
                document, (*path, "soft_time_limit_s"), str(soft), f"less than time_limit_s, {hard}: {why}"
            )
    if spec.keep_s is not None:
        yield from check_keep(document, key, spec, keep_s=spec.keep_s)


def check_keep(
    document: Document, key: str, spec: TaskSpec, *, keep_s: int, hint: str | None = None
) -> Iterator[Issue]:
    """Find a task type whose tasks outlive their ledger row, which is kept so many seconds."""
    longest = (spec.expires_s or 0) + (spec.time_limit_s or 0)
    if longest <= keep_s:
        return
    said = [name for name in ("keep_s", "expires_s", "time_limit_s") if getattr(spec, name) is not None]
    name = _choose_blamed(document, ("tasks", key), *said)
    wanted = f"at least expires_s and time_limit_s together, {longest}"
    if name != "keep_s":
        rest = longest - getattr(spec, name)
        wanted = f"at most keep_s, {keep_s}" + (f", less {rest} of the other limit" if rest else "")
    found = str(getattr(spec, name))
    yield make_issue(document, ("tasks", key, name), found, f"{wanted}: the task could outlive its ledger row", hint)


def _choose_blamed(document: Document, path: Path, *names: str) -> str:
    """Choose, of keys that contradict each other, the first that the task type says itself."""
    return next((name for name in names if (*path, name) in document.values), names[0])


def _check_concurrency(document: Document, key: str, spec: TaskSpec) -> Iterator[Issue]:
    policy = spec.concurrency
    if policy is None:
        return
    path = ("tasks", key, "concurrency")
    for index, name in enumerate(policy.key):
        at = (*path, "key", index)
        if name not in spec.parameters:
            got = f"`{show_text(name)}`"
            yield make_issue(document, at, got, _list_parameters(spec), suggest(name, spec.parameters))
        elif spec.parameters[name].secret:
            yield make_issue(document, at, f"`{name}`", "a parameter that is not secret: the key is kept in the ledger")
    yield from _check_once(document, (*path, "key"), policy.key)
    longest = (spec.expires_s or 0) + (spec.time_limit_s or 0)
    lease_at = (*path, "lease_s")
    if policy.lease_s < longest:
        wanted = f"at least expires_s and time_limit_s together, {longest}: a task could outlive its place"
        yield make_issue(document, lease_at, str(policy.lease_s), wanted)
    if spec.keep_s is not None and policy.lease_s > spec.keep_s:
        wanted = f"at most keep_s, {spec.keep_s}: a holder must be remembered"
        yield make_issue(document, lease_at, str(policy.lease_s), wanted)


def _list_parameters(spec: TaskSpec) -> str:
    return f"one of {list_choices(spec.parameters)}" if spec.parameters else "no such key: no parameter is declared"


def _check_rules(document: Document, key: str, spec: TaskSpec) -> Iterator[Issue]:
    for index, rule in enumerate(spec.rules):
        name = rule.parameter
        if name is not None and name not in spec.parameters:
            path = ("tasks", key, "rules", index, "parameter")
            got = f"`{show_text(name)}`"
            yield make_issue(document, path, got, _list_parameters(spec), suggest(name, spec.parameters))
