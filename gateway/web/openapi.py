"""The OpenAPI 3.1 document of a catalog: plain data, made once per generation.

What comes in: the table of fixed operations and the compiled task types. What goes out: one JSON document, with a
typed operation per task type.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from gateway import __version__
from gateway.catalog.catalog import Catalog
from gateway.catalog.task_type import TaskType
from gateway.launch.launch import DryRun, Receipt
from gateway.launch.options import LaunchOptions
from gateway.status.status import TaskStatus
from gateway.web.gate import OPEN
from gateway.web.headers import KEY, PREFER
from gateway.web.launching import LaunchQuery
from gateway.web.operation import Operation
from gateway.web.operations import OPERATIONS
from gateway.web.problems import MEDIA_TYPE, Problem
from gateway.web.refusals import BODY_PROBLEMS, OUTAGE, PROBLEM_WORDS, RATE
from gateway.web.streaming import EVENT_STREAM

_REFERENCE = "#/components/schemas/"
_DEFS = "#/$defs/"
_REFUSALS = (401, 403)
_PATH_PARAMETER = re.compile(r"\{(\w+)\}")
_PATH_WORDS = {"task_id": "The id from the receipt.", "task_type": "A key of the catalog."}
_PATH_SCHEMAS = {"task_id": {"type": "string", "format": "uuid"}, "task_type": {"type": "string"}}


def write_openapi(catalog: Catalog, *, prefix: str, is_guarded: bool = False) -> dict[str, Any]:
    """Describe the whole API of a catalog; `prefix` is the path before `/tasks`, `is_guarded` says that it wants keys."""
    kinds = {Problem: None} | {
        kind: None for each in OPERATIONS for _, *kinds in each.answers.values() for kind in kinds
    }
    kinds |= {each.body: None for each in OPERATIONS if each.body is not None}
    shown, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCE + "{name}")
    schemas: dict[Any, Any] = dict(zip(kinds, shown, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for each in OPERATIONS:
        path = prefix + each.path if each.is_prefixed else each.path
        refusals = _REFUSALS if is_guarded and each.right != OPEN else ()
        paths.setdefault(path, {})[each.method] = _write_operation(each, schemas, refusals=refusals)
    for task_type in catalog.task_types.values():
        components |= _write_components(task_type)
        paths[f"{prefix}/tasks/launch/{task_type.task_type}"] = {
            "post": _write_launch(task_type, schemas, refusals=_REFUSALS if is_guarded else ())
        }
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Task gateway",
            "version": __version__,
            "description": f"Launch, follow, revoke and retry Celery tasks. Catalog {catalog.digest}.",
        },
        "paths": paths,
        "components": {"schemas": components},
    }
    return document | _describe_security(components) if is_guarded else document


def _describe_security(components: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "security": [{"bearer": []}, {"key": []}],
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or a token."},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _write_operation(operation: Operation, schemas: Mapping[Any, Any], *, refusals: tuple[int, ...]) -> dict[str, Any]:
    written: dict[str, Any] = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [
            *_write_path_parameters(operation.path),
            *_write_query(operation.query),
            *operation.headers,
        ],
        "responses": {
            status: {"description": words} | _write_content([schemas[kind] for kind in kinds], operation.media_type)
            for status, (words, *kinds) in operation.answers.items()
        }
        | _write_problems((*operation.problems, *refusals), schemas),
    }
    if operation.right == OPEN:
        written["security"] = []
    if operation.body is not None:
        written["requestBody"] = {"required": operation.is_body_required, **_as_json(schemas[operation.body])}
    return written


def _write_launch(task_type: TaskType, schemas: Mapping[Any, Any], *, refusals: tuple[int, ...]) -> dict[str, Any]:
    body = _as_json({"$ref": f"{_REFERENCE}{task_type.task_type}.params"})
    if task_type.examples:
        body["content"]["application/json"]["examples"] = {
            f"example {number}": {"value": example} for number, example in enumerate(task_type.examples, start=1)
        }
    options = [each for each in _write_query(LaunchOptions) if each["name"] in task_type.caller_options]
    accepted = {"description": "Accepted: it is in the ledger and in the broker.", **_as_json(schemas[Receipt])}
    accepted["headers"] = {"Location": {"description": "Its status.", "schema": {"type": "string"}}}
    return {
        "operationId": f"launch {task_type.task_type}",
        "summary": task_type.title,
        "description": _describe(task_type),
        "tags": list(task_type.tags) or ["Launch"],
        "deprecated": task_type.deprecated,
        "parameters": [*_write_query(LaunchQuery), *options, KEY, PREFER],
        "requestBody": {"required": True, **body},
        "responses": {
            "200": {
                "description": "What a dry run would have sent; with `Prefer: wait`, the final status.",
                **_as_json({"anyOf": [schemas[DryRun], schemas[TaskStatus]]}),
            },
            "202": accepted,
        }
        | _write_problems((409, *BODY_PROBLEMS, RATE, *OUTAGE, *refusals), schemas),
    }


def _describe(task_type: TaskType) -> str:
    rules = "".join(f"\n- {rule.message}: `{rule.source}`" for rule in task_type.rules)
    return f"{task_type.description}\n\nBeyond the schema:\n{rules}" if rules else task_type.description


def _write_components(task_type: TaskType) -> dict[str, Any]:
    """Move the params schema and its `$defs` among the components, as `#` is the whole document here."""
    schema = dict(task_type.params.json_schema)
    local = schema.pop("$defs", {})
    return {
        f"{task_type.task_type}.params": _point(schema, task_type.task_type),
        **{f"{task_type.task_type}.{name}": _point(each, task_type.task_type) for name, each in local.items()},
    }


def _point(value: Any, task_type: str) -> Any:
    if isinstance(value, list):
        return [_point(item, task_type) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _point_reference(item, task_type) if key == "$ref" and isinstance(item, str) else _point(item, task_type)
        for key, item in value.items()
    }


def _point_reference(reference: str, task_type: str) -> str:
    if reference.startswith(_DEFS):
        return f"{_REFERENCE}{task_type}.{reference.removeprefix(_DEFS)}"
    return f"{_REFERENCE}{task_type}.params{reference[1:]}" if reference.startswith("#/properties/") else reference


def _write_query(kind: type[msgspec.Struct] | None) -> list[dict[str, Any]]:
    if kind is None:
        return []
    schema = msgspec.json.schema(kind)
    properties = next(iter(schema["$defs"].values()))["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": _as_text(each)} for name, each in properties.items()
    ]


def _as_text(schema: dict[str, Any]) -> dict[str, Any]:
    """Describe a value of the query: it has no null, and the patterns of clients no end but `$`."""
    schema = next((each for each in schema.get("anyOf", ()) if each != {"type": "null"}), schema)
    return schema | {"pattern": schema["pattern"].replace(r"\Z", "$")} if "pattern" in schema else schema


def _write_path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_WORDS[name],
            "schema": _PATH_SCHEMAS[name],
        }
        for name in _PATH_PARAMETER.findall(path)
    ]


def _write_problems(statuses: Iterable[int], schemas: Mapping[Any, Any]) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": schemas[Problem]}}
    return {str(status): {"description": PROBLEM_WORDS[status], "content": content} for status in sorted(statuses)}


def _write_content(alternatives: list[Any], media_type: str) -> dict[str, Any]:
    if not alternatives:
        return {}
    schema = alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}
    return _as_media(_as_event(schema) if media_type == EVENT_STREAM else schema, media_type)


def _as_event(schema: Any) -> dict[str, Any]:
    """Describe each event of a stream: what OpenAPI 3.1 says of a sequence is said of its items."""
    data = {"type": "string", "contentMediaType": "application/json"}
    news = {"event": {"enum": ["status", "final"]}, "data": data | {"contentSchema": schema}, "id": {"type": "string"}}
    return {
        "anyOf": [
            {"type": "object", "properties": news, "required": ["event", "data", "id"]},
            {"type": "object", "properties": {"event": {"const": "bye"}, "data": data}, "required": ["event", "data"]},
        ]
    }


def _as_json(schema: Any) -> dict[str, Any]:
    return _as_media(schema, "application/json")


def _as_media(schema: Any, media_type: str) -> dict[str, Any]:
    return {"content": {media_type: {"schema": schema}}}
