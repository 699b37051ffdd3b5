"""The parameters of one task type, compiled: the validator, the defaults, and the schema that callers see."""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import msgspec

from gateway.config.issues import MAX_ISSUES
from gateway.config.model import Parameter, Schema
from gateway.errors import Fault, RefusedParamsError
from gateway.schema.checking import check_schema, check_whole
from gateway.schema.explaining import WholeSchemas
from gateway.schema.filling import Filler, find_default, make_filler, make_object_filler
from gateway.schema.issue import SchemaIssue
from gateway.schema.references import find_used, has_references, make_validator, move, point
from gateway.schema.strict_json import has_keys_once, parse_body
from gateway.schema.translation import make_struct, translate

DEFS = "#/$defs/"
_ENCODE = msgspec.json.Encoder().encode


class ParameterSet:
    """Checks params, fills in their defaults, and explains what it refuses."""

    def __init__(self, parameters: Mapping[str, Parameter], named: Mapping[str, Schema], title: str) -> None:
        """Compile parameters whose schemas have been checked."""
        schemas = {name: each.schema for name, each in parameters.items()}
        defaults = {name: find_default(schema, named=named) for name, schema in schemas.items()}
        required = [
            name
            for name, each in parameters.items()
            if (each.required if each.required is not None else defaults[name] is None)
        ]
        self.secret_names = frozenset(name for name, each in parameters.items() if each.secret)
        self.json_schema = _show(parameters, required, named)
        self._translations = {name: translate(schema, named=named) for name, schema in schemas.items()}
        self._type = make_struct(self._translations, required=frozenset(required), title=title)
        self._whole = WholeSchemas(schemas, required=tuple(required), named=named, secret_names=self.secret_names)
        self._residues = [
            (name, _make_residue(each.residue, schemas[name], named))
            for name, each in self._translations.items()
            if each.residue is not True
        ]
        self._fill = _make_filler(schemas, defaults, named)
        is_tight = not self._residues and all(each.is_tight for each in self._translations.values())
        self._decode = msgspec.json.Decoder(self._type).decode if is_tight else None

    def accept_body(self, raw: bytes) -> dict[str, Any]:
        """Return the params of a body that holds nothing else, as `accept(parse_body(raw))` would but for their order.

        Where the types leave nothing open, they are the door as well: one decode proves depth, numbers and shape.
        Raises: MalformedBodyError; RefusedParamsError with every fault.
        """
        if self._decode is not None:
            try:
                decoded = self._decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return self.accept(parse_body(raw))
            if has_keys_once(_ENCODE(decoded), raw):
                filled: dict[str, Any] = self._fill(msgspec.to_builtins(decoded))
                return filled
        return self.accept(parse_body(raw))

    def accept(self, params: Any) -> dict[str, Any]:
        """Return params with their defaults; what was sent is never changed, cast or reordered.

        Shape: `params` is plain data that `parse_body` has let through.
        Raises: RefusedParamsError with every fault.
        """
        # msgspec refuses a little more than the schemas do: they have the last word.
        if not self._is_plainly_sound(params):
            faults = self.find_faults(params)
            if faults:
                raise RefusedParamsError(faults)
        filled: dict[str, Any] = self._fill(params)
        return filled

    def find_faults(self, params: Any) -> tuple[Fault, ...]:
        """Find every fault of params; none when they are accepted."""
        return self._whole.find_faults(params)

    def explain(self) -> Iterator[tuple[str, Any, Schema]]:
        """Yield each parameter with the type that msgspec checks and the residue that jsonschema-rs does."""
        for name, translation in self._translations.items():
            yield name, translation.type, translation.residue

    def _is_plainly_sound(self, params: Any) -> bool:
        try:
            msgspec.convert(params, self._type)
        except msgspec.ValidationError:
            return False
        if not self._residues:
            return True
        return all(name not in params or residue.is_valid(params[name]) for name, residue in self._residues)


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
    is_sound = True
    for name, each in parameters.items():
        if len(issues) > MAX_ISSUES:
            break
        found = check_schema(each.schema, named=named)
        if broken.isdisjoint(find_used(each.schema, named=named)):
            found = found or check_whole(each.schema, named=named)
        else:
            is_sound = False
        issues += (_below(name, issue) for issue in found)
    return (ParameterSet(parameters, named, type_name), []) if is_sound and not issues else (None, issues)


def check_named(named: Mapping[str, Schema]) -> list[SchemaIssue]:
    """Find what is wrong with the named schemas; the path of each issue begins with the schema's name."""
    found: dict[str, list[SchemaIssue]] = {}
    count = 0
    for name, schema in named.items():
        found[name] = check_schema(schema, named=named) if count <= MAX_ISSUES else []
        count += len(found[name])
    broken = {name for name, issues in found.items() if issues}
    for name, schema in named.items():
        if name not in broken and broken.isdisjoint(find_used(schema, named=named)):
            found[name] = check_whole(schema, named=named)
    return [_below(name, issue) for name, issues in found.items() for issue in issues]


def _below(name: str, issue: SchemaIssue) -> SchemaIssue:
    return msgspec.structs.replace(issue, path=(name, *issue.path))


def _make_residue(residue: Schema, schema: Schema, named: Mapping[str, Schema]) -> jsonschema_rs.Draft202012Validator:
    """Make the validator of a residue; with a reference in it the whole schema is taken, in which `#` keeps its meaning."""
    return make_validator(schema if has_references(residue) else residue, named=named)


def _make_filler(
    schemas: Mapping[str, Schema], defaults: Mapping[str, tuple[Any] | None], named: Mapping[str, Schema]
) -> Filler:
    below = {name: make_filler(schema, named=named) for name, schema in schemas.items()}
    return make_object_filler(
        {name: default[0] for name, default in defaults.items() if default is not None},
        {name: filler for name, filler in below.items() if filler is not None},
    )


def _show(parameters: Mapping[str, Parameter], required: list[str], named: Mapping[str, Schema]) -> dict[str, Any]:
    """Write the schema of the whole params object, self-contained."""
    shown: dict[str, Any] = {
        "type": "object",
        "properties": {name: _show_parameter(name, each) for name, each in parameters.items()},
        "required": required,
        "additionalProperties": False,
    }
    used: dict[str, Schema] = {}
    for each in parameters.values():
        used |= find_used(each.schema, named=named)
    if used:
        shown["$defs"] = {name: point(move(schema, DEFS + name), DEFS) for name, schema in used.items()}
    return shown


def _show_parameter(name: str, parameter: Parameter) -> Any:
    schema = point(move(parameter.schema, f"#/properties/{name}"), DEFS)
    if not parameter.secret:
        return schema
    shown = {} if isinstance(schema, bool) else {key: value for key, value in schema.items() if key != "default"}
    return {**shown, "writeOnly": True}
