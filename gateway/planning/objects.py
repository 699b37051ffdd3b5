"""Two schemas of objects: which properties may, must and may no longer be sent."""

from collections.abc import Callable, Iterator

from gateway.planning.change import Finding
from gateway.planning.limits import NOT_WIDER, make_finding
from gateway.planning.sides import Side, is_same

_NAMES = ("properties", "patternProperties", "additionalProperties")


def compare_names(old: Side, new: Side) -> Iterator[Finding]:
    """Compare `required` and `dependentRequired`."""
    before, after = old.get("required", []), new.get("required", [])
    for name in after:
        if name not in before:
            yield make_finding("required", "narrowed", f"`{name}` became required")
    for name in before:
        if name not in after:
            yield make_finding("required", "widened", f"`{name}` may be left out")
    known = old.get("dependentRequired", {})
    for name, needed in new.get("dependentRequired", {}).items():
        for other in needed:
            if other not in known.get(name, []) and other not in before:
                yield make_finding("dependentRequired", "narrowed", f"`{name}` now asks for `{other}`", name)


def compare_objects(old: Side, new: Side, *, compare: Callable[..., Iterator[Finding]]) -> Iterator[Finding]:
    """Compare the properties; one that only one side names falls under the other's `additionalProperties`.

    Shape: `compare` takes the two sides and the steps that lead to them.
    """
    before, after = old.get("properties", {}), new.get("properties", {})
    if ("patternProperties" in old.said or "patternProperties" in new.said) and not _is_judged(old, new):
        yield make_finding("patternProperties", "unknown", f"the properties changed, which {NOT_WIDER}")
        return
    for name in [*before, *(name for name in after if name not in before)]:
        left = old.at(before[name]) if name in before else old.inner("additionalProperties")
        right = new.at(after[name]) if name in after else new.inner("additionalProperties")
        if name not in before and left.is_nothing:
            yield make_finding("properties", "added", "a property that may be sent", name)
        elif name not in after and right.is_nothing and not left.is_nothing:
            yield make_finding("properties", "removed", "the property is refused now", name)
        else:
            yield from compare(left, right, "properties", name)
    left, right = old.inner("additionalProperties"), new.inner("additionalProperties")
    if left.is_nothing and not right.is_nothing:
        yield make_finding("additionalProperties", "widened", "other properties may be sent")
    elif right.is_nothing and not left.is_nothing:
        yield make_finding("additionalProperties", "narrowed", "properties that are not declared are refused now")
    else:
        yield from compare(left, right, "additionalProperties")


def _is_judged(old: Side, new: Side) -> bool:
    """Tell whether the patterns are as they were, and match no property that moved from or to the named ones."""
    words = [each.at({"patternProperties": each.get("patternProperties", {})}) for each in (old, new)]
    names = [each.get("properties", {}).keys() for each in (old, new)]
    return is_same(*words) and names[0] == names[1]
