"""JSON Schema, compiled: strict parsing at the door, msgspec types, the residual validator, every fault. Pure."""

from gateway.schema.issue import SchemaIssue
from gateway.schema.parameters import ParameterSet, check_named, compile_parameters
from gateway.schema.strict_json import check_count, parse_body

__all__ = ["ParameterSet", "SchemaIssue", "check_count", "check_named", "compile_parameters", "parse_body"]
