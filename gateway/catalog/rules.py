"""Cross-parameter rules: CEL, compiled and tried when the file is read, evaluated on accepted params.

What comes in: a declared rule and the parameters around it. What goes out: a compiled rule, or why it cannot hold. A
rule never passes by accident: what it cannot decide is refused.
Source: the CEL language definition; `&&` and `||` absorb an error on the side that does not matter.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import cel
from msgspec import Struct

from gateway.catalog.samples import UnsureError, make_sample
from gateway.config import Parameter, Rule, Schema
from gateway.errors import Fault

_TYPES = frozenset({"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"})
_STRING = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_MEMBER = re.compile(r"\bparams\s*\.\s*([A-Za-z_]\w*)")
_INDEX = re.compile(r"""\bparams\s*\[\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*\]""")
_CALLS = ("{}('a')", "'a'.{}('a')", "'a'.{}()", "{}()", "{}('a', 'a')")
_BOUND = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")


class CompiledRule(Struct, frozen=True):
    """One rule, ready to be evaluated."""

    source: str
    message: str
    parameter: str | None
    program: cel.Program

    def check(self, params: Mapping[str, Any]) -> Fault | None:
        """Return the fault of params that were accepted otherwise, or None when the rule holds."""
        pointer = "" if self.parameter is None else f"/{self.parameter}"
        try:
            verdict = self.program.execute({"params": params})
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
            # The reason may quote a value, and a value may be secret.
            detail = f"the rule cannot be decided for these params: {self.message}"
            return Fault(pointer=pointer, code="undecided_rule", detail=detail, expected=self.source)
        if verdict is True:
            return None
        return Fault(pointer=pointer, code="rule", detail=self.message, expected=self.source)


class RuleComplaint(Struct, frozen=True):
    """Why a rule cannot be used."""

    found: str
    wanted: str
    hint: str | None = None


def compile_rule(
    rule: Rule, parameters: Mapping[str, Parameter], *, named: Mapping[str, Schema], examples: Sequence[Any]
) -> CompiledRule | RuleComplaint:
    """Compile one rule; `examples` are params that the schemas accept, defaults included."""
    try:
        program = cel.compile(rule.rule)
    except ValueError as error:
        return RuleComplaint(f"a rule that does not parse: {_first_line(error)}", "a CEL expression")
    complaint = next(_find_unknown(rule.rule, program, parameters), None)
    if complaint is None:
        complaint = _try_out(program, [*_make_samples(parameters, named), *examples])
    return complaint or CompiledRule(rule.rule, rule.message, rule.parameter, program)


def _first_line(error: Exception) -> str:
    text = str(error)
    return text[text.find("ERROR") :].splitlines()[0].removeprefix("ERROR: <input>:").partition(" expecting ")[0][:120]


def _find_unknown(source: str, program: cel.Program, parameters: Mapping[str, Parameter]) -> Iterator[RuleComplaint]:
    code = _STRING.sub("''", source)
    names = [*_MEMBER.findall(code), *(single or double for single, double in _INDEX.findall(source))]
    for name in names:
        if name not in parameters:
            near = get_close_matches(name, parameters, n=1)
            hint = f"did you mean `params.{near[0]}`?" if near else None
            yield RuleComplaint(f"a rule over the unknown parameter `{name}`", "a declared one", hint)
    for name in program.variables():
        if name != "params" and name not in _TYPES and name not in _BOUND.findall(code):
            hint = f"did you mean `params.{name}`?" if name in parameters else None
            yield RuleComplaint(f"a rule over the unknown name `{name}`", "`params` and its members", hint)
    for name in program.functions():
        if name.isidentifier() and not any(_is_function(call.format(name)) for call in _CALLS):
            yield RuleComplaint(f"a rule with the unknown function `{name}`", "a function of CEL")


def _is_function(call: str) -> bool:
    """Tell whether a call is known: the library lists no functions, and tells an unknown one only when it is called."""
    try:
        cel.compile(call).execute({})
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        return not str(error).startswith("Undefined variable or function")
    return True


def _make_samples(parameters: Mapping[str, Parameter], named: Mapping[str, Schema]) -> list[dict[str, Any]]:
    """Make params to try a rule on: all of them, and the required ones alone."""
    try:
        whole = {name: make_sample(each.schema, named=named) for name, each in parameters.items()}
    except UnsureError:
        return []
    least = {name: value for name, value in whole.items() if parameters[name].required is not False}
    return [whole, least]


def _try_out(program: cel.Program, samples: list[Any]) -> RuleComplaint | None:
    """Find a rule that yields no boolean, or whose types do not meet, on params of the declared types."""
    for sample in samples:
        try:
            verdict = program.execute({"params": sample})
        except TypeError:
            return RuleComplaint(
                "a rule that joins types which do not meet", "types that do; convert with int(), double() or string()"
            )
        except (ArithmeticError, LookupError, RuntimeError, ValueError):
            continue  # a sample need not be one that the rule can decide
        if not isinstance(verdict, bool):
            return RuleComplaint(f"a rule that yields {type(verdict).__name__}", "one that yields true or false")
    return None
