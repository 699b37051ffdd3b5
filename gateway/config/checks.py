"""What a task type's keys must say of each other."""

from collections.abc import Iterator

from gateway.config.document import Document
from gateway.config.model import TaskSpec
from gateway.config.reading import make_issue
from gateway.config.words import list_choices, suggest
from gateway.errors import Issue

RESERVED_KEYS = frozenset({"batch"})
"""Segments of the launch path that are routes of their own."""
RESERVED_PARAMETERS = frozenset({"self"})
"""Names that a Celery task's own signature takes."""


def check_task(document: Document, key: str, spec: TaskSpec) -> Iterator[Issue]:
    """Find what is wrong with a task type that is sound key by key; defaults are applied already."""
    path = ("tasks", key)
    if key.casefold() in RESERVED_KEYS:
        yield make_issue(document, path, f"the key `{key}`", "another one: it is a route of its own", is_key=True)
    for name in RESERVED_PARAMETERS & spec.parameters.keys():
        at = (*path, "parameters", name)
        yield make_issue(document, at, f"the parameter `{name}`", "a name that Celery does not use itself", is_key=True)
    yield from _check_limits(document, key, spec)
    yield from _check_rules(document, key, spec)
    for name in ("tags", "caller_options"):
        items = getattr(spec, name) or ()
        for index, item in enumerate(items):
            if item in items[:index]:
                yield make_issue(document, (*path, name, index), f"`{item}` again", "each once")


def _check_limits(document: Document, key: str, spec: TaskSpec) -> Iterator[Issue]:
    path = ("tasks", key)
    soft, hard, keep = spec.soft_time_limit_s, spec.time_limit_s, spec.keep_s
    if soft is not None and hard is not None and soft >= hard:
        wanted = f"less than time_limit_s, {hard}: the worker would kill the task before it warns it"
        yield make_issue(document, (*path, "soft_time_limit_s"), str(soft), wanted)
    longest = (spec.expires_s or 0) + (hard or 0)
    if keep is not None and keep < longest:
        wanted = f"at least expires_s and time_limit_s together, {longest}: the task could outlive its ledger row"
        yield make_issue(document, (*path, "keep_s"), str(keep), wanted)


def _check_rules(document: Document, key: str, spec: TaskSpec) -> Iterator[Issue]:
    for index, rule in enumerate(spec.rules):
        name = rule.parameter
        if name is not None and name not in spec.parameters:
            path = ("tasks", key, "rules", index, "parameter")
            wanted = f"one of {list_choices(spec.parameters)}" if spec.parameters else "no parameter: none is declared"
            yield make_issue(document, path, f"`{name}`", wanted, suggest(name, spec.parameters))
