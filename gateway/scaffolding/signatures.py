"""From a task's function to its parameters.

What comes in: the function that a worker calls. What goes out: what a caller may send as keyword arguments, and notes on
what cannot be sent so.
"""

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

import msgspec

from gateway.config import Parameter
from gateway.config.checks import RESERVED_PARAMETERS
from gateway.config.model import ParameterName
from gateway.scaffolding.found import FoundParameter
from gateway.scaffolding.hints import ANY_VALUE, read_hint
from gateway.scaffolding.writing import is_writable
from gateway.schema import compile_parameters

_MAX_DEPTH = 16


def read_signature(function: Callable[..., Any]) -> tuple[tuple[FoundParameter, ...], tuple[str, ...]]:
    """Read the parameters of a function, and what of it cannot be declared; a bound one has lost its `self`."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return (), ("its function has no signature that can be read",)
    namespace = getattr(inspect.unwrap(function), "__globals__", {})
    found: list[FoundParameter] = []
    notes: list[str] = []
    for each in signature.parameters.values():
        reason = _find_obstacle(each)
        if reason is None:
            found.append(_read_parameter(each, namespace))
        else:
            notes.append(reason)
    return tuple(found), tuple(notes)


def _find_obstacle(parameter: inspect.Parameter) -> str | None:
    name = parameter.name
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return f"*{name} is not declared: params are sent as keyword arguments"
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return f"**{name} is not declared: add the parameters that it takes"
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        return f"{name} is positional-only: it cannot be sent as a keyword argument"
    try:
        msgspec.convert(name, ParameterName)
    except msgspec.ValidationError:
        return f"{name!a} is no name for a parameter, and is not declared"
    return f"{name} is a name that Celery uses itself" if name in RESERVED_PARAMETERS else None


def _read_parameter(parameter: inspect.Parameter, namespace: Mapping[str, Any]) -> FoundParameter:
    schema, notes = _read_annotation(parameter.annotation, namespace)
    issue = _find_issue(schema)
    if issue is not None:
        schema, notes = {}, (f"{issue}: {ANY_VALUE}",)
    if parameter.default is inspect.Parameter.empty:
        # A default of the model itself would make the parameter one that may be left out.
        schema = {keyword: value for keyword, value in schema.items() if keyword != "default"}
        return FoundParameter(name=parameter.name, schema=schema, notes=notes)
    shown = f"{parameter.default!r:.60}"
    if not _is_json(parameter.default, 0) or not is_writable(parameter.default):
        notes = (*notes, f"its default {shown} is not JSON, and stays the function's own")
    elif _find_issue({**schema, "default": parameter.default}) is not None:
        notes = (*notes, f"its default {shown} does not fit its hint, and stays the function's own")
    else:
        return FoundParameter(name=parameter.name, schema={**schema, "default": parameter.default}, notes=notes)
    return FoundParameter(name=parameter.name, schema=_make_room(schema), is_optional=True, notes=notes)


def _read_annotation(annotation: Any, namespace: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    if annotation is inspect.Parameter.empty:
        return {}, (f"no type hint: {ANY_VALUE}",)
    holder = types.SimpleNamespace(__annotations__={"hint": annotation})
    try:
        hint = get_type_hints(holder, globalns=dict(namespace), include_extras=True)["hint"]
    except Exception:  # noqa: BLE001 - a hint is foreign code: it may name what does not exist, or raise anything
        return {}, (f"the hint {annotation} cannot be resolved: {ANY_VALUE}",)
    return read_hint(hint)


def _find_issue(schema: dict[str, Any]) -> str | None:
    """Tell what is wrong with a schema, by the same checks as start-up's."""
    if not is_writable(schema):
        return "its schema cannot be written"
    _, issues = compile_parameters({"p": Parameter(schema=schema)}, named={}, type_name="Parameter")
    if not issues:
        return None
    first = issues[0]
    return f"its schema cannot be used, as {'.'.join(str(step) for step in first.path[1:]) or 'it'} is {first.found}"


def _make_room(schema: dict[str, Any]) -> dict[str, Any]:
    """Free the key `required` for the parameter itself, where an object's own list stands in it."""
    if "required" not in schema:
        return schema
    definitions = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    return {"allOf": [{key: value for key, value in schema.items() if key != "$defs"}], **definitions}


def _is_json(value: Any, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        return False
    match value:
        case None | bool():
            return True
        case str():
            return type(value) is str
        case int():
            return type(value) is int
        case float():
            return abs(value) < float("inf")
        case list():
            return all(_is_json(each, depth + 1) for each in value)
        case dict():
            return all(type(key) is str and _is_json(each, depth + 1) for key, each in value.items())
        case _:
            return False
