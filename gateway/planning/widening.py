"""Does the new schema accept every value that the old one did? Every difference, and whether it takes something away.

What comes in: two sides. What goes out: findings. It never calls safe what it cannot show to be: a keyword whose change
cannot be judged is `unknown`, which breaks.
"""

from collections.abc import Iterator, Sequence

import msgspec

from gateway.config import Parameter
from gateway.planning.change import Finding
from gateway.planning.limits import (
    DOMAINS,
    NOT_WIDER,
    compare_counts,
    compare_ranges,
    compare_steps,
    compare_types,
    find_types,
    make_finding,
)
from gateway.planning.objects import compare_names, compare_objects
from gateway.planning.sides import Side, is_same, write
from gateway.schema import ParameterSet, compile_parameters
from gateway.schema.references import name_of
from gateway.schema.vocabulary import walk_schemas

Pairs = frozenset[tuple[str, str]]
"""What is being compared, by the keys of both sides."""
_WHOLE = ("not", "if", "then", "else", "contains", "minContains", "maxContains", "dependentSchemas", "$dynamicRef", "$id",
          "$anchor", "$dynamicAnchor", "unevaluatedItems", "unevaluatedProperties", "oneOf")  # fmt: skip
"""Keywords that are judged by being the same, or gone."""
_NEEDED = {"then": "if", "else": "if", "minContains": "contains", "maxContains": "contains"}
"""Keywords that say nothing without another one."""
_SUMS = frozenset({"unevaluatedItems", "unevaluatedProperties", "$id", "$anchor", "$dynamicAnchor", "$dynamicRef"})
"""Keywords whose meaning depends on everything beside them."""
_SHOWN = 5
_VALUE = "value"


def compare_schemas(old: Side, new: Side, *, open_pairs: Pairs = frozenset()) -> list[Finding]:
    """Compare two schemas; `open_pairs` are those being compared further up, which recursion comes back to."""
    old, new = old.resolve(), new.resolve()
    pair = (old.key, new.key)
    if pair in open_pairs or old.is_nothing or is_same(old, new):
        return []
    if new.is_nothing:
        return [Finding(steps=(), kind="narrowed", verdict="breaking", detail="no value is accepted any more")]
    return list(_Comparison(open_pairs | {pair}).compare(old, new))


def is_wider(old: Side, new: Side, *, open_pairs: Pairs = frozenset()) -> bool:
    """Tell whether the new schema can be shown to accept all that the old one did."""
    return all(finding.verdict == "safe" for finding in compare_schemas(old, new, open_pairs=open_pairs))


class _Comparison:
    """Compares at one place; it remembers what is being compared above it."""

    def __init__(self, open_pairs: Pairs) -> None:
        self._open_pairs = open_pairs

    def compare(self, old: Side, new: Side) -> Iterator[Finding]:
        if _SUMS & new.said or "$id" in old.said:
            keyword = next(iter(sorted(_SUMS & (new.said | old.said))))
            yield make_finding(keyword, "unknown", f"a schema with `{keyword}` changed, which {NOT_WIDER}")
            return
        branches = _find_branches(old)
        if branches is not None:
            yield from self._compare_branches(*branches, new)
            return
        if {"enum", "const"} & old.said:
            listed = self._compare_choices(old, new)
            if listed is not None:
                yield from listed
                return
        yield from self._compare_keywords(old, new)

    def _compare_keywords(self, old: Side, new: Side) -> Iterator[Finding]:
        alternatives = new.get("anyOf", []) if new.said == {"anyOf"} and "anyOf" not in old.said else []
        if any(self._is_wider(old, new.at(each)) for each in alternatives):
            yield make_finding("anyOf", "widened", "an alternative accepts all that was accepted")
            return
        yield from compare_types(old, new)
        yield from compare_ranges(old, new)
        yield from compare_steps(old, new)
        yield from compare_counts(old, new)
        yield from self._compare_lists(old, new)
        for keyword in ("pattern", "format"):
            yield from _compare_texts(keyword, old, new)
        if "array" in find_types(old):
            yield from self._compare_items(old, new)
        if "object" in find_types(old):
            yield from compare_names(old, new)
            yield from compare_objects(old, new, compare=self._descend)
            yield from self._descend(old.inner("propertyNames"), new.inner("propertyNames"), "propertyNames")
        yield from self._compare_joined(old, new)
        for keyword in _WHOLE:
            yield from _compare_whole(keyword, old, new)

    def _is_wider(self, old: Side, new: Side) -> bool:
        return is_wider(old, new, open_pairs=self._open_pairs)

    def _descend(self, old: Side, new: Side, *steps: str | int) -> Iterator[Finding]:
        for finding in compare_schemas(old, new, open_pairs=self._open_pairs):
            yield msgspec.structs.replace(finding, steps=(*steps, *finding.steps))

    def _compare_branches(self, keyword: str, branches: Sequence[Side], new: Side) -> Iterator[Finding]:
        """Compare what is one of several: each of them must still be accepted."""
        targets = [new.at(each) for each in new.get("anyOf", [])] if new.said == {"anyOf"} else [new]
        lost = [
            index
            for index, branch in enumerate(branches)
            if not any(self._is_wider(branch, target) for target in targets)
        ]
        for index in lost:
            detail = f"values of the {index + 1}. alternative: that they are all still accepted cannot be shown"
            yield make_finding(keyword, "narrowed", detail, index)
        if not lost:
            yield make_finding(keyword, "widened", "every alternative is still accepted")

    def _compare_choices(self, old: Side, new: Side) -> list[Finding] | None:
        """Try every value that was accepted on the new schema; None when the new one cannot be tried out by itself."""
        before, after = _try_out(old), _try_out(new)
        if before is None or after is None:
            return None
        values = old.get("enum", None) if "enum" in old.said else [old.get("const", None)]
        sent = [{_VALUE: value} for value in values]
        lost = [write(each[_VALUE]) for each in sent if not before.find_faults(each) and after.find_faults(each)]
        keyword = "enum" if "enum" in old.said else "const"
        if lost:
            shown = ", ".join(lost[:_SHOWN]) + (", …" if len(lost) > _SHOWN else "")
            return [make_finding(keyword, "narrowed", f"no longer accepted: {shown}")]
        return [make_finding(keyword, "widened", "every value of before is still accepted")]

    def _compare_lists(self, old: Side, new: Side) -> Iterator[Finding]:
        """Compare `enum`, `const` and `uniqueItems` where the old schema listed nothing, or could not be tried."""
        for keyword in ("enum", "const"):
            if keyword not in new.said:
                if keyword in old.said:
                    yield make_finding(keyword, "widened", "other values are accepted too")
            elif keyword not in old.said:
                yield make_finding(keyword, "narrowed", "only listed values are accepted now")
            elif write(old.get(keyword, None)) != write(new.get(keyword, None)):
                yield make_finding(keyword, "unknown", f"the values changed, which {NOT_WIDER}")
        before, after = old.get("uniqueItems", False), new.get("uniqueItems", False)
        if before != after and "array" in find_types(old):
            detail = "items must differ from each other" if after else "items may be alike"
            yield make_finding("uniqueItems", "narrowed" if after else "widened", detail)

    def _compare_items(self, old: Side, new: Side) -> Iterator[Finding]:
        before, after = old.get("prefixItems", []), new.get("prefixItems", [])
        for index in range(max(len(before), len(after))):
            left = old.at(before[index]) if index < len(before) else old.inner("items")
            right = new.at(after[index]) if index < len(after) else new.inner("items")
            yield from self._descend(left, right, "prefixItems", index)
        yield from self._descend(old.inner("items"), new.inner("items"), "items")

    def _compare_joined(self, old: Side, new: Side) -> Iterator[Finding]:
        """Compare what holds beside the keywords: `allOf`, `anyOf`, and a `$ref` with siblings."""
        before = {keyword: [old.at(each) for each in old.get(keyword, [])] for keyword in ("allOf", "anyOf")}
        for index, each in enumerate(new.get("allOf", [])):
            part = new.at(each)
            if not any(self._is_wider(known, part) for known in [*before["allOf"], old]):
                yield make_finding("allOf", "unknown", f"a condition that {NOT_WIDER}", index)
        if "anyOf" in new.said:
            branches = [new.at(each) for each in new.get("anyOf", [])]
            candidates = before["anyOf"] or [old]
            if not all(any(self._is_wider(known, branch) for branch in branches) for known in candidates):
                yield make_finding("anyOf", "unknown", f"the alternatives changed, which {NOT_WIDER}")
        target, source = new.follow(), old.follow()
        if "$ref" not in new.said or is_same(*(each.at({"$ref": each.get("$ref", "")}) for each in (old, new))):
            return
        if target is None or not any(self._is_wider(known, target) for known in (old, source) if known is not None):
            yield make_finding("$ref", "unknown", f"a reference beside other keywords changed, which {NOT_WIDER}")


def _find_branches(side: Side) -> tuple[str, list[Side]] | None:
    """Find the alternatives of a schema that says nothing else."""
    for keyword in ("anyOf", "oneOf"):
        if side.said == {keyword}:
            return keyword, [side.at(each) for each in side.get(keyword, [])]
    return None


def _try_out(side: Side) -> ParameterSet | None:
    """Compile a schema for itself; None when it refers to what is around it."""
    references: list[object] = [
        each["$ref"] for _, each in walk_schemas(side.schema) if isinstance(each, dict) and "$ref" in each
    ]
    if side.is_scoped or any(name_of(each) is None for each in references):
        return None
    parameter = Parameter(schema=side.schema, required=True)
    compiled, _ = compile_parameters({_VALUE: parameter}, named=side.named, type_name="Choice")
    return compiled


def _compare_texts(keyword: str, old: Side, new: Side) -> Iterator[Finding]:
    before, after = old.get(keyword, None), new.get(keyword, None)
    if before == after or not find_types(old) & DOMAINS[keyword]:
        return
    if after is None:
        yield make_finding(keyword, "widened", f"`{before}` is no longer asked for")
    elif before is None:
        yield make_finding(keyword, "narrowed", f"`{after}` is asked for")
    else:
        yield make_finding(keyword, "unknown", f"from `{before}` to `{after}`, which {NOT_WIDER}")


def _compare_whole(keyword: str, old: Side, new: Side) -> Iterator[Finding]:
    """Compare a keyword that is only judged by being the same."""
    if not find_types(old) & DOMAINS.get(keyword, find_types(old)):
        return
    needed = _NEEDED.get(keyword, keyword)
    if keyword not in new.said or needed not in new.said:
        is_lost = keyword in old.said and needed in new.said
        if is_lost:
            yield make_finding(keyword, "unknown", f"it is gone, which {NOT_WIDER}")
        elif keyword in old.said:
            yield make_finding(keyword, "widened", "it is no longer asked for")
        return
    words = [each.at({keyword: each.get(keyword, None)}) for each in (old, new)]
    if keyword not in old.said or needed not in old.said or not is_same(*words):
        yield make_finding(keyword, "unknown", f"it changed, which {NOT_WIDER}")
