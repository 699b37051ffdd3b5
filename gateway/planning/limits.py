"""The keywords that bound numbers, lengths and types: which of two schemas leaves more room.

What comes in: two sides. What goes out: a finding for each bound that moved.
"""

import math
from collections.abc import Iterator
from typing import Any

from gateway.planning.change import Finding, Kind
from gateway.planning.sides import Side, write

TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
_SAY = (
    (("integer", "number"), ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
    (("string",), ("minLength", "maxLength", "pattern", "format")),
    (("array",), ("minItems", "maxItems", "uniqueItems", "items", "prefixItems", "contains", "minContains",
                  "maxContains", "unevaluatedItems")),
    (("object",), ("minProperties", "maxProperties", "required", "dependentRequired", "properties",
                   "patternProperties", "additionalProperties", "propertyNames", "dependentSchemas",
                   "unevaluatedProperties")),
)  # fmt: skip
DOMAINS = {keyword: frozenset(types) for types, keywords in _SAY for keyword in keywords}
"""The types that a keyword has a say in; it lets all others pass."""
_COUNTS = (("minLength", "maxLength"), ("minItems", "maxItems"), ("minProperties", "maxProperties"))
_ENDS = {"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}


def find_types(side: Side) -> frozenset[str]:
    """Return the types that a schema lets pass; a number may be an integer."""
    kinds = side.get("type", None)
    if kinds is None:
        return TYPES
    found = frozenset([kinds] if isinstance(kinds, str) else kinds)
    return found | {"integer"} if "number" in found else found


def compare_types(old: Side, new: Side) -> Iterator[Finding]:
    """Compare `type`."""
    before, after = find_types(old), find_types(new)
    if before == after:
        return
    lost = before - after
    detail = f"from {_show_types(old)} to {_show_types(new)}"
    yield make_finding("type", "narrowed" if lost else "widened", detail)


def compare_counts(old: Side, new: Side) -> Iterator[Finding]:
    """Compare lengths and numbers of items."""
    for least, most in _COUNTS:
        if not find_types(old) & DOMAINS[least]:
            continue
        yield from _compare_bound(least, old.get(least, 0), new.get(least, 0), old=old, new=new, is_lower=True)
        yield from _compare_bound(
            most, old.get(most, math.inf), new.get(most, math.inf), old=old, new=new, is_lower=False
        )


def compare_ranges(old: Side, new: Side) -> Iterator[Finding]:
    """Compare the bounds of numbers; for integers, beyond 0 is from 1."""
    if not find_types(old) & {"integer", "number"}:
        return
    is_whole = "number" not in find_types(old)
    for keyword, opened in _ENDS.items():
        is_lower = keyword == "minimum"
        before, after = _find_end(old, keyword, is_whole=is_whole), _find_end(new, keyword, is_whole=is_whole)
        if before == after:
            continue
        is_narrower = after > before if is_lower else after < before
        named = next(each for side in (new, old) for each in (keyword, opened) if each in side.said)
        detail = f"from {_show_end(old, keyword)} to {_show_end(new, keyword)}"
        yield make_finding(named, "narrowed" if is_narrower else "widened", detail)


def compare_steps(old: Side, new: Side) -> Iterator[Finding]:
    """Compare `multipleOf`."""
    before, after = old.get("multipleOf", None), new.get("multipleOf", None)
    if write(before) == write(after) or not find_types(old) & DOMAINS["multipleOf"]:
        return
    if after is None:
        yield make_finding("multipleOf", "widened", f"{before} is no longer asked for")
    elif isinstance(before, int) and isinstance(after, int):
        is_wider = before % after == 0
        yield make_finding("multipleOf", "widened" if is_wider else "narrowed", f"from {before} to {after}")
    else:
        detail = f"{after} is asked for" if before is None else f"from {before} to {after}, which {NOT_WIDER}"
        yield make_finding("multipleOf", "narrowed" if before is None else "unknown", detail)


NOT_WIDER = "cannot be shown to be wider"


def make_finding(keyword: str, kind: Kind, detail: str, *more: str | int) -> Finding:
    """Make a finding at a keyword."""
    verdict = "breaking" if kind in {"narrowed", "unknown", "removed"} else "safe"
    return Finding(steps=(keyword, *more), kind=kind, verdict=verdict, detail=detail)  # type: ignore[arg-type] # one of two


def _compare_bound(
    keyword: str, before: float, after: float, *, old: Side, new: Side, is_lower: bool
) -> Iterator[Finding]:
    if before == after:
        return
    is_narrower = after > before if is_lower else after < before
    detail = f"from {_show(old.get(keyword, None))} to {_show(new.get(keyword, None))}"
    yield make_finding(keyword, "narrowed" if is_narrower else "widened", detail)


def _find_end(side: Side, keyword: str, *, is_whole: bool) -> tuple[float, int]:
    """Return the innermost bound as a number and how far beyond it the first value lies."""
    sign = 1 if keyword == "minimum" else -1
    closed, opened = side.get(keyword, -sign * math.inf), side.get(_ENDS[keyword], -sign * math.inf)
    ends = [(_round(closed, sign, is_open=False) if is_whole else closed, 0)]
    ends.append((_round(opened, sign, is_open=True), 0) if is_whole else (opened, sign))
    return max(ends) if sign > 0 else min(ends)


def _round(bound: float, sign: int, *, is_open: bool) -> float:
    if math.isinf(bound):
        return bound
    if is_open:
        return math.floor(bound) + 1 if sign > 0 else math.ceil(bound) - 1
    return math.ceil(bound) if sign > 0 else math.floor(bound)


def _show_end(side: Side, keyword: str) -> str:
    closed, opened = side.get(keyword, None), side.get(_ENDS[keyword], None)
    shown = [str(closed)] if closed is not None else []
    if opened is not None:
        shown.append(f"{'above' if keyword == 'minimum' else 'below'} {opened}")
    return " and ".join(shown) or "none"


def _show(bound: Any) -> str:
    return "none" if bound is None else str(bound)


def _show_types(side: Side) -> str:
    kinds = side.get("type", None)
    if kinds is None:
        return "any type"
    return kinds if isinstance(kinds, str) else " or ".join(kinds)
