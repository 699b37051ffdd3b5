"""What was compiled for one task type: how it runs, what each parameter is checked by, and a line that launches it.

What comes in: a compiled task type. What goes out: one frozen value, or its text.
"""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gateway.catalog.task_type import RuleEntry, TaskType
from gateway.config.model import Concurrency, Delivery, WhenUnavailable
from gateway.config.rates import Rate
from gateway.errors import RefusedParamsError
from gateway.planning.minimal import make_params


class ShownParameter(Struct, frozen=True, kw_only=True):
    """One parameter."""

    name: str
    type: str
    required: bool
    secret: bool
    default: Any = UNSET
    """Left out when there is none, or when it is a secret."""
    description: str | UnsetType = UNSET
    checked_by_msgspec: dict[str, Any]
    """As a JSON Schema; empty when msgspec checks nothing."""
    checked_by_jsonschema_rs: dict[str, Any] | bool
    """What is left to check; true when nothing is."""


class ShownTask(Struct, frozen=True, kw_only=True):
    """One task type."""

    task_type: str
    name: str
    title: str
    description: str
    tags: tuple[str, ...]
    deprecated: bool
    queue: str
    priority: int | None
    expires_s: int | None
    time_limit_s: int | None
    soft_time_limit_s: int | None
    keep_s: int
    max_queued: int | None
    rate_limit: Rate | None
    delivery: Delivery
    reconcile_after_s: int
    when_unavailable: WhenUnavailable
    concurrency: Concurrency | None
    caller_options: tuple[str, ...]
    access: Mapping[str, tuple[str, ...]]
    """The roles that may do each verb, beside `admin`."""
    parameters: tuple[ShownParameter, ...]
    rules: tuple[RuleEntry, ...]
    examples: tuple[dict[str, Any], ...]
    curl: str
    is_curl_accepted: bool
    """False when no params could be found that this task type accepts: then those in the line are a guess."""


_FACTS = ("name", "queue", "priority", "expires_s", "time_limit_s", "soft_time_limit_s", "keep_s", "max_queued",
          "rate_limit", "delivery", "reconcile_after_s", "when_unavailable", "concurrency", "caller_options", "tags",
          "deprecated")  # fmt: skip


def describe(task_type: TaskType, *, base_url: str, prefix: str) -> ShownTask:
    """Describe a task type; `base_url` and `prefix` are where the printed line sends its launch."""
    params, is_accepted = _find_params(task_type)
    url = f"{base_url.rstrip('/')}{prefix}/tasks/launch/{task_type.task_type}"
    body = shlex.quote(msgspec.json.encode(params).decode())
    return ShownTask(
        **{name: getattr(task_type, name) for name in ("task_type", "title", "description", "examples", *_FACTS[:13])},
        tags=task_type.tags,
        deprecated=task_type.deprecated,
        caller_options=tuple(sorted(task_type.caller_options)),
        access=task_type.access,
        parameters=tuple(_describe_parameters(task_type)),
        rules=tuple(
            RuleEntry(rule=rule.source, message=rule.message, parameter=rule.parameter) for rule in task_type.rules
        ),
        curl=f"curl -sS {shlex.quote(url)} -H 'Content-Type: application/json' -d {body}",
        is_curl_accepted=is_accepted,
    )


def render(shown: ShownTask) -> str:
    """Write what was compiled for people."""
    heading = [f"{shown.task_type}: {shown.title}", *([f"  {shown.description.strip()}"] if shown.description else [])]
    facts = [f"  {name:<18} {_write_fact(getattr(shown, name))}" for name in _FACTS]
    facts += [f"  {f'may {verb}':<18} {', '.join(roles) or 'admin'}" for verb, roles in shown.access.items()]
    blocks = [heading, facts, ["Parameters:", *_render_parameters(shown)]]
    if shown.rules:
        blocks.append(["Rules:", *(f"  {each.rule}\n      {each.message}" for each in shown.rules)])
    if shown.examples:
        blocks.append(["Examples:", *(f"  {_write(each)}" for each in shown.examples)])
    words = (
        "Launch it:" if shown.is_curl_accepted else "Launch it, once you have replaced the params, which are a guess:"
    )
    blocks.append([words, "", shown.curl])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _find_params(task_type: TaskType) -> tuple[dict[str, Any], bool]:
    if task_type.examples:
        return task_type.examples[0], True

    def is_sound(name: str, value: Any) -> bool:
        pointer = f"/{name}"
        return not any(
            fault.pointer == pointer or fault.pointer.startswith(f"{pointer}/")
            for fault in task_type.params.find_faults({name: value})
        )

    params = make_params(task_type.params.json_schema, is_sound=is_sound)
    try:
        task_type.accept(params)
    except RefusedParamsError:
        return params, False
    return params, True


def _describe_parameters(task_type: TaskType) -> Iterator[ShownParameter]:
    shown = task_type.params.json_schema
    named = shown.get("$defs", {})
    for name, kind, residue in task_type.params.explain():
        schema = shown["properties"][name]
        yield ShownParameter(
            name=name,
            type=_name_type(schema, named),
            required=name in shown["required"],
            secret=name in task_type.params.secret_names,
            default=_look_up(schema, "default", named),
            description=_look_up(schema, "description", named),
            checked_by_msgspec=msgspec.json.schema(kind),
            checked_by_jsonschema_rs=True if residue == {} else residue,
        )


def _look_up(schema: Any, keyword: str, named: Mapping[str, Any]) -> Any:
    """Return an annotation, an own one before that of the named schema; UNSET for none."""
    seen: list[Any] = []
    while isinstance(schema, dict) and schema not in seen:
        if keyword in schema:
            return schema[keyword]
        if schema.get("writeOnly") and keyword == "default":
            break  # a secret's default is nobody's business
        seen.append(schema)
        schema = named.get(schema.get("$ref", "").rpartition("/")[2])
    return UNSET


def _name_type(schema: Any, named: Mapping[str, Any]) -> str:
    for keyword in ("const", "enum"):
        found = _look_up(schema, keyword, named)
        if found is not UNSET:
            return " or ".join(_write(each) for each in (found if keyword == "enum" else [found]))
    kinds = _look_up(schema, "type", named)
    if kinds is UNSET:
        return "no value" if schema is False else "any JSON value"
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


def _render_parameters(shown: ShownTask) -> Iterator[str]:
    if not shown.parameters:
        yield "  none"
    for each in shown.parameters:
        words = [each.type, "required" if each.required else "optional"]
        words += [f"default {_write(each.default)}"] if each.default is not UNSET else []
        words += ["secret"] if each.secret else []
        yield f"  {each.name}: {', '.join(words)}"
        if isinstance(each.description, str):
            yield f"      {each.description.strip()}"
        residue = each.checked_by_jsonschema_rs
        yield f"      msgspec checks        {_write(each.checked_by_msgspec) if each.checked_by_msgspec else 'nothing'}"
        yield f"      jsonschema-rs checks  {'nothing' if residue is True else _write(residue)}"


def _write_fact(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _write(value: Any) -> str:
    return msgspec.json.encode(value).decode()
