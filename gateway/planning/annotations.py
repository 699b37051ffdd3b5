"""What schemas say beside what they accept: words for people, and the defaults that are filled in below a parameter."""

from collections.abc import Iterator
from itertools import chain

from gateway.planning.change import Finding, Kind, Steps
from gateway.planning.sides import Side, write

_WORDS = ("title", "description", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "contentEncoding",
          "contentMediaType", "contentSchema")  # fmt: skip
_MAX_HOPS = 32


def compare_annotations(old: Side, new: Side, *, is_ruled: bool, is_secret: bool) -> list[Finding]:
    """Compare the annotations of a parameter at every depth both sides have; its own default is not among them."""
    return list(_Comparison(is_ruled=is_ruled, is_secret=is_secret).compare(old, new, ()))


class _Comparison:
    """Compares one parameter; a pair of schemas is compared where it is met first."""

    def __init__(self, *, is_ruled: bool, is_secret: bool) -> None:
        self._is_ruled = is_ruled
        self._is_secret = is_secret
        self._seen: set[tuple[str, str]] = set()

    def compare(self, old: Side, new: Side, steps: Steps) -> Iterator[Finding]:
        if (old.key, new.key) in self._seen:
            return
        self._seen.add((old.key, new.key))
        for word in _WORDS:
            if write(_find(old, word)) != write(_find(new, word)):
                yield Finding(steps=(*steps, word), kind="changed", verdict="safe", detail="changed", audience="nobody")
        if steps[-2:-1] == ("properties",):
            yield from self._compare_default(old, new, (*steps, "default"))
        old, new = old.resolve(), new.resolve()
        for more, left, right in chain(_pair_properties(old, new), _pair_items(old, new), _pair_parts(old, new)):
            yield from self.compare(left, right, (*steps, *more))

    def _compare_default(self, old: Side, new: Side, steps: Steps) -> Iterator[Finding]:
        before, after = _find(old, "default"), _find(new, "default")
        if write(before) == write(after):
            return
        if not after:
            detail = f"{self._show(before)} is no longer filled in when it is left out"
            yield Finding(steps=steps, kind="removed", verdict="breaking", detail=detail)
            yield Finding(steps=steps, kind="removed", verdict="breaking", detail=detail, audience="workers")
            return
        detail = f"{self._show(after)} is filled in when it is left out"
        kind: Kind = "changed" if before else "added"
        if self._is_ruled:
            detail = f"{detail}, and a rule may refuse that"
            yield Finding(steps=steps, kind=kind, verdict="breaking", detail=detail)
        else:
            yield Finding(steps=steps, kind=kind, verdict="safe", detail=detail)

    def _show(self, default: list[object]) -> str:
        return "a secret" if self._is_secret else write(default[0])


def _pair_properties(old: Side, new: Side) -> Iterator[tuple[Steps, Side, Side]]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in dict.fromkeys([*before, *after]):
        yield ("properties", name), old.at(before.get(name, True)), new.at(after.get(name, True))


def _pair_items(old: Side, new: Side) -> Iterator[tuple[Steps, Side, Side]]:
    if "items" in old.said & new.said:
        yield ("items",), old.inner("items"), new.inner("items")


def _pair_parts(old: Side, new: Side) -> Iterator[tuple[Steps, Side, Side]]:
    for index, (left, right) in enumerate(zip(old.get("allOf", []), new.get("allOf", []), strict=False)):
        yield ("allOf", index), old.at(left), new.at(right)


def _find(side: Side, word: str) -> list[object]:
    """Return an annotation in a list, an own one before that of what `$ref` leads to; an empty list for none."""
    for _ in range(_MAX_HOPS):
        if isinstance(side.schema, dict) and word in side.schema:
            return [side.schema[word]]
        target = side.follow() if side.said == {"$ref"} else None
        if target is None:
            break
        side = target
    return []
