"""What schemas say beside what they accept: words for people, and the defaults that are filled in below a parameter."""

from collections.abc import Iterator
from itertools import chain

from gateway.planning.change import Finding, Steps
from gateway.planning.sides import Side, write

_WORDS = ("title", "description", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "contentEncoding",
          "contentMediaType", "contentSchema")  # fmt: skip
_MAX_DEPTH = 32


def compare_annotations(old: Side, new: Side, *, is_ruled: bool) -> list[Finding]:
    """Compare the annotations of a parameter at every depth both sides have; its own default is not among them."""
    return list(_compare(old, new, (), is_ruled=is_ruled))


def _compare(old: Side, new: Side, steps: Steps, *, is_ruled: bool) -> Iterator[Finding]:
    if len(steps) > _MAX_DEPTH:
        return
    for word in _WORDS:
        if write(_find(old, word)) != write(_find(new, word)):
            yield Finding(steps=(*steps, word), kind="changed", verdict="safe", detail="changed", audience="nobody")
    if steps and steps[-2:-1] == ("properties",):
        yield from _compare_default(old, new, (*steps, "default"), is_ruled=is_ruled)
    old, new = old.resolve(), new.resolve()
    for more, left, right in chain(_pair_properties(old, new), _pair_items(old, new), _pair_parts(old, new)):
        yield from _compare(left, right, (*steps, *more), is_ruled=is_ruled)


def _pair_properties(old: Side, new: Side) -> Iterator[tuple[Steps, Side, Side]]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in before.keys() | after.keys():
        left = before.get(name, True)
        yield ("properties", name), old.at(left), new.at(after.get(name, True))


def _pair_items(old: Side, new: Side) -> Iterator[tuple[Steps, Side, Side]]:
    if "items" in old.said & new.said:
        yield ("items",), old.inner("items"), new.inner("items")


def _pair_parts(old: Side, new: Side) -> Iterator[tuple[Steps, Side, Side]]:
    for index, (left, right) in enumerate(zip(old.get("allOf", []), new.get("allOf", []), strict=False)):
        yield ("allOf", index), old.at(left), new.at(right)


def _compare_default(old: Side, new: Side, steps: Steps, *, is_ruled: bool) -> Iterator[Finding]:
    before, after = _find(old, "default"), _find(new, "default")
    if write(before) == write(after):
        return
    if not after:
        detail = f"{write(before[0])} is no longer filled in when it is left out"
        yield Finding(steps=steps, kind="removed", verdict="breaking", detail=detail)
        yield Finding(steps=steps, kind="removed", verdict="breaking", detail=detail, audience="workers")
        return
    detail = f"{write(after[0])} is filled in when it is left out"
    if is_ruled:
        detail += ", and a rule may refuse that"
    kind = "changed" if before else "added"
    yield Finding(steps=steps, kind=kind, verdict="breaking" if is_ruled else "safe", detail=detail)  # type: ignore[arg-type] # one of two


def _find(side: Side, word: str) -> list[object]:
    """Return an annotation in a list, an own one before that of what `$ref` leads to; an empty list for none."""
    while isinstance(side.schema, dict):
        if word in side.schema:
            return [side.schema[word]]
        target = side.follow() if side.said == {"$ref"} else None
        if target is None or target.key == side.key:
            break
        side = target
    return []
