"""The catalog and the refusals of a gateway, for people to read.

What comes in: values and what is written on. What goes out: lines.
"""

from collections.abc import Iterable, Mapping, Sequence
from shlex import quote
from typing import Any

from gateway.client.answers import Drift, Entry, Fault, Problem
from gateway.client.rendering import write_json
from gateway.client.table import Paper, clean, flatten, write_facts, write_table
from gateway.client.values import write_words
from gateway.config.words import cut

_LONGEST = 200
"""Characters of what was expected; a pattern or a list of choices may be longer than anybody reads."""


def render_catalog(entries: Iterable[Entry], *, paper: Paper) -> list[str]:
    """Write task types as a table; names are never cut."""
    rows = [(each.task_type, each.availability, _list_parameters(each.parameters), _sum_up(each)) for each in entries]
    head = ("TASK TYPE", "WORKERS", "PARAMETERS", "WHAT IT DOES")
    return write_table(rows, head=head, fixed=(0, 1), paper=paper) if rows else ["no task type"]


def render_entry(entry: Entry, *, paper: Paper) -> list[str]:
    """Write one task type: what it does, and what each parameter takes."""
    facts = {
        "queue": entry.queue,
        "tags": ", ".join(entry.tags) or None,
        "workers": ": ".join(filter(None, (entry.availability, entry.availability_reason))),
        "options": ", ".join(entry.caller_options) or "none",
        "deprecated": "yes" if entry.deprecated else None,
    }
    lines = [paper.stress(f"{flatten(entry.task_type)}: {flatten(entry.title)}")]
    lines += [f"  {line}" for line in clean(entry.description).strip().split("\n") if line]
    lines += [*write_facts(facts, paper=paper), "Parameters"]
    properties = entry.parameters.get("properties", {})
    lines += write_facts({name: _describe(name, entry.parameters) for name in properties}, paper=paper) or ["  none"]
    words = (" ".join(map(quote, write_words(each, entry.parameters))) for each in entry.examples)
    examples = [f"  gateway launch {flatten(entry.task_type)} {clean(each)}".rstrip() for each in words]
    return [*lines, *(["Examples", *examples] if examples else [])]


def render_drift(drift: Drift, *, paper: Paper) -> list[str]:
    """Write every difference, and what it concerns."""
    if drift.status == "unknown":
        return [f"unknown: {flatten(drift.reason or 'no reason is given')}"]
    rows = [(each.kind, each.detail, ", ".join(each.task_types)) for each in drift.differences]
    if not rows:
        return [f"no drift: {drift.workers} online worker{'' if drift.workers == 1 else 's'} as declared"]
    return write_table(rows, head=("WHAT", "WHY", "TASK TYPES"), fixed=(0,), paper=paper)


def render_problem(problem: Problem) -> list[str]:
    """Write why a gateway refused: every fault, where it is and what was wanted there."""
    words = " ".join(part for part in (str(problem.status), problem.code or problem.title) if part)
    lines = [f"gateway: {flatten(problem.detail or problem.title)} ({flatten(words)})"]
    lines += [f"  {_write_fault(each)}" for each in problem.errors]
    lines += [f"  held by {flatten(each)}" for each in problem.holders if each not in problem.detail]
    if problem.task_id and problem.task_id not in problem.detail:
        lines.append(f"  the task in question is {flatten(problem.task_id)}")
    return lines


def _write_fault(fault: Fault) -> str:
    expected = _write_expected(fault.expected)
    where = flatten(fault.pointer) or "the body"
    return f"{where}: {flatten(fault.detail)}" + (f" (expected {expected})" if expected else "")


def _write_expected(expected: Any) -> str:
    """Write what was expected; empty when nothing is said of it."""
    if expected in (None, []):
        return ""
    if isinstance(expected, list):
        return cut(f"one of {', '.join(map(_show, expected))}", longest=_LONGEST)
    return cut(_show(expected), longest=_LONGEST)


def _show(value: Any) -> str:
    return flatten(value if isinstance(value, str) else write_json(value))


def _list_parameters(schema: Mapping[str, Any]) -> str:
    """Name the parameters as they are typed: the optional ones in brackets."""
    required = schema.get("required", ())
    return " ".join(name if name in required else f"[{name}]" for name in schema.get("properties", {}))


def _sum_up(entry: Entry) -> str:
    words = entry.title if not entry.description else entry.description.strip().split("\n")[0]
    return f"(deprecated) {words}" if entry.deprecated else words


def _describe(name: str, schema: Mapping[str, Any]) -> str:
    own = schema["properties"][name]
    if not isinstance(own, Mapping):
        return "anything" if own else "nothing"
    named = schema.get("$defs", {}).get(str(own.get("$ref", "")).removeprefix("#/$defs/"), {})
    facts = {**(named if isinstance(named, Mapping) else {}), **own}
    words = [_name_type(facts), "required" if name in schema.get("required", ()) else "optional"]
    words += [f"default {write_json(facts['default'])}"] if "default" in facts else []
    words += ["secret"] if facts.get("writeOnly") is True else []
    return f"{', '.join(words)}. {facts.get('description', '')}".rstrip(" ")


def _name_type(facts: Mapping[str, Any]) -> str:
    if "enum" in facts:
        return " or ".join(write_json(each) for each in facts["enum"])
    if "const" in facts:
        return write_json(facts["const"])
    kinds: str | Sequence[str] = facts.get("type", "any JSON value")
    return kinds if isinstance(kinds, str) else " or ".join(kinds)
