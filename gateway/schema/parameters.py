"""The parameters of one task type, compiled: the validator, the defaults, and the schema that callers see."""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import msgspec

from gateway.config.model import Parameter, Schema
from gateway.errors import Fault, RefusedParamsError
from gateway.schema.checking import SchemaIssue, check_defaults, check_schema, check_whole
from gateway.schema.explaining import explain
from gateway.schema.filling import Filler, find_default, make_filler, make_object_filler
from gateway.schema.references import NAMED_URI, PARAMETER_URI, make_registry, make_validator, name_of, point
from gateway.schema.translation import Translation, make_struct, translate
from gateway.schema.vocabulary import walk_schemas

DEFS = "#/$defs/"


class ParameterSet:
    """Checks params, fills in their defaults, and explains what it refuses."""

    def __init__(self, parameters: Mapping[str, Parameter], named: Mapping[str, Schema], title: str) -> None:
        """Compile parameters whose schemas have been checked."""
        schemas = {name: each.schema for name, each in parameters.items()}
        defaults = {name: find_default(schema, named=named) for name, schema in schemas.items()}
        required = frozenset(
            name
            for name, each in parameters.items()
            if (each.required if each.required is not None else defaults[name] is None)
        )
        translation = make_struct(schemas, required=required, named=named, title=title)
        registry = make_registry(schemas, named)
        self.secret_names = frozenset(name for name, each in parameters.items() if each.secret)
        self.json_schema = _show(parameters, required, named)
        self._known = tuple(parameters)
        self._type = translation.type
        self._full = make_validator(
            {
                "type": "object",
                "properties": {name: {"$ref": PARAMETER_URI + name} for name in parameters},
                "required": sorted(required),
                "additionalProperties": False,
            },
            registry,
        )
        self._residue = _make_residue(translation, registry)
        self._fill = _make_filler(schemas, defaults, named)
        self._translations = {name: translate(schema, named=named) for name, schema in schemas.items()}

    def accept(self, params: Any) -> dict[str, Any]:
        """Return params with their defaults; what was sent is never changed, cast or reordered.

        Shape: `params` is plain data that `parse_body` has let through.
        Raises: RefusedParamsError with every fault.
        """
        try:
            msgspec.convert(params, self._type)
        except msgspec.ValidationError:
            is_sound = False
        else:
            is_sound = self._residue is None or self._residue.is_valid(params)
        # msgspec refuses a little more than the schema does: the schema has the last word.
        if not is_sound and not self._full.is_valid(params):
            raise RefusedParamsError(self.find_faults(params))
        filled: dict[str, Any] = self._fill(params)
        return filled

    def find_faults(self, params: Any) -> tuple[Fault, ...]:
        """Find every fault of params; none when they are accepted."""
        return explain(self._full.iter_errors(params), known=self._known)

    def explain(self) -> Iterator[tuple[str, Any, Schema]]:
        """Yield each parameter with the type that msgspec checks and the residue that jsonschema-rs does."""
        for name, translation in self._translations.items():
            yield name, translation.type, translation.residue


def compile_parameters(
    parameters: Mapping[str, Parameter],
    *,
    named: Mapping[str, Schema],
    broken: frozenset[str] = frozenset(),
    type_name: str,
) -> tuple[ParameterSet | None, list[SchemaIssue]]:
    """Compile the parameters of a task type; None when a schema, of a parameter or a named one it uses, has issues.

    Shape: `broken` are the named schemas that `check_named` blames; the path of each issue returned begins with the
        parameter's name.
    """
    issues: list[SchemaIssue] = []
    for name, each in parameters.items():
        issues += (_below(name, issue) for issue in check_schema(each.schema, named=named))
    if issues or not broken.isdisjoint(_find_used(parameters, named)):
        return None, issues
    schemas = {name: each.schema for name, each in parameters.items()}
    registry = make_registry(schemas, named)
    for name, schema in schemas.items():
        found = check_whole(PARAMETER_URI + name, registry) or check_defaults(schema, PARAMETER_URI + name, registry)
        issues += (_below(name, issue) for issue in found)
    return (None, issues) if issues else (ParameterSet(parameters, named, type_name), [])


def check_named(named: Mapping[str, Schema]) -> list[SchemaIssue]:
    """Find what is wrong with the named schemas; the path of each issue begins with the schema's name."""
    issues: list[SchemaIssue] = []
    for name, schema in named.items():
        issues += (_below(name, issue) for issue in check_schema(schema, named=named))
    if issues:
        return issues
    registry = make_registry({}, named)
    for name, schema in named.items():
        found = check_whole(NAMED_URI + name, registry) or check_defaults(schema, NAMED_URI + name, registry)
        issues += (_below(name, issue) for issue in found)
    return issues


def _below(name: str, issue: SchemaIssue) -> SchemaIssue:
    return msgspec.structs.replace(issue, path=(name, *issue.path))


def _make_residue(
    translation: Translation, registry: jsonschema_rs.Registry
) -> jsonschema_rs.Draft202012Validator | None:
    """Make the validator of the residue; a parameter left whole is referred to, so that its own `#` keeps its meaning."""
    if isinstance(translation.residue, bool):
        return None
    left: dict[str, Schema] = translation.residue["properties"]
    return make_validator({"properties": {name: _place(name, residue) for name, residue in left.items()}}, registry)


def _place(name: str, residue: Schema) -> Schema:
    has_reference = any(
        isinstance(each, dict) and {"$ref", "$dynamicRef", "$id"} & each.keys() for _, each in walk_schemas(residue)
    )
    return {"$ref": PARAMETER_URI + name} if has_reference else residue


def _make_filler(
    schemas: Mapping[str, Schema], defaults: Mapping[str, tuple[Any] | None], named: Mapping[str, Schema]
) -> Filler:
    below = {name: make_filler(schema, named=named) for name, schema in schemas.items()}
    return make_object_filler(
        {name: default[0] for name, default in defaults.items() if default is not None},
        {name: filler for name, filler in below.items() if filler is not None},
    )


def _show(parameters: Mapping[str, Parameter], required: frozenset[str], named: Mapping[str, Schema]) -> dict[str, Any]:
    """Write the schema of the whole params object, self-contained."""
    shown: dict[str, Any] = {
        "type": "object",
        "properties": {name: _show_parameter(each) for name, each in parameters.items()},
        "required": [name for name in parameters if name in required],
        "additionalProperties": False,
    }
    used = _find_used(parameters, named)
    if used:
        shown["$defs"] = {name: point(schema, DEFS) for name, schema in used.items()}
    return shown


def _show_parameter(parameter: Parameter) -> Any:
    schema = point(parameter.schema, DEFS)
    if not parameter.secret:
        return schema
    shown = {} if isinstance(schema, bool) else {key: value for key, value in schema.items() if key != "default"}
    return {**shown, "writeOnly": True}


def _find_used(parameters: Mapping[str, Parameter], named: Mapping[str, Schema]) -> dict[str, Schema]:
    """Find the named schemas that parameters use, directly or through each other."""
    used: dict[str, Schema] = {}
    waiting: list[Schema] = [each.schema for each in parameters.values()]
    while waiting:
        for _, schema in walk_schemas(waiting.pop()):
            name = name_of(schema.get("$ref")) if isinstance(schema, dict) else None
            if name is not None and name in named and name not in used:
                used[name] = named[name]
                waiting.append(named[name])
    return used
