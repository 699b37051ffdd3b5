"""Cross-parameter rules: CEL, compiled and tried when the file is read, evaluated on accepted params.

What comes in: a declared rule and the parameters around it. What goes out: a compiled rule, or why it cannot hold. A
rule never passes by accident: what it cannot decide is refused.
Source: the CEL language definition; `&&` and `||` absorb an error on the side that does not matter.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from gateway.catalog.expressions import cel
from gateway.catalog.samples import UnsureError, make_sample
from gateway.config import Parameter, Rule, Schema
from gateway.config.words import find_near, show_text
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
    rule: Rule, parameters: Mapping[str, Parameter], *, samples: Sequence[Any]
) -> CompiledRule | RuleComplaint:
    """Compile one rule, and try it out on samples of params."""
    try:
        program = cel.compile(rule.rule)
    except ValueError as error:
        return RuleComplaint(f"a rule that does not parse: {_first_line(error)}", "a CEL expression")
    code = _STRING.sub("''", rule.rule)
    # Literal indexes are looked for in the whole source, as `code` has no strings any more.
    names = [*_MEMBER.findall(code), *(single or double for single, double in _INDEX.findall(rule.rule))]
    complaint = next(_find_unknown(code, names, program, parameters), None)
    if complaint is None:
        # No more than is asked for: a sample may have thousands of members, and a task type a hundred rules.
        complaint = _try_out(program, [{name: each[name] for name in names if name in each} for each in samples])
    return complaint or CompiledRule(rule.rule, rule.message, rule.parameter, program)


def _first_line(error: Exception) -> str:
    text = str(error)
    first = text[text.find("ERROR") :].splitlines()[0].removeprefix("ERROR: <input>:").partition(" expecting ")[0]
    return show_text(first, longest=120)


def _find_unknown(
    code: str, names: Iterable[str], program: cel.Program, parameters: Mapping[str, Parameter]
) -> Iterator[RuleComplaint]:
    for name in names:
        if name not in parameters:
            near = find_near(name, parameters)
            hint = None if near is None else f"did you mean `params.{near}`?"
            yield RuleComplaint(f"a rule over the unknown parameter `{show_text(name)}`", "a declared one", hint)
    known = {"params", *_TYPES, *_BOUND.findall(code)}
    for name in program.variables():
        if name not in known:
            hint = f"did you mean `params.{name}`?" if name in parameters else None
            yield RuleComplaint(f"a rule over the unknown name `{show_text(name)}`", "`params` and its members", hint)
    for name in program.functions():
        if name.isidentifier() and not any(_is_function(call.format(name)) for call in _CALLS):
            yield RuleComplaint(f"a rule with the unknown function `{show_text(name)}`", "a function of CEL")


def _is_function(call: str) -> bool:
    """Tell whether a call is known: the library lists no functions, and tells an unknown one only when it is called."""
    try:
        cel.compile(call).execute({})
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        return not str(error).startswith("Undefined variable or function")
    return True


def make_samples(parameters: Mapping[str, Parameter], named: Mapping[str, Schema]) -> list[dict[str, Any]]:
    """Make params to try a task type's rules on: all of them, and the required ones alone."""
    try:
        whole = {name: make_sample(each.schema, named=named) for name, each in parameters.items()}
    except UnsureError:
        return []
    least = {name: value for name, value in whole.items() if parameters[name].required is not False}
    return [whole, least]


def _try_out(program: cel.Program, samples: Iterable[Any]) -> RuleComplaint | None:
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
