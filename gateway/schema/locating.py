"""Where in a value an error of jsonschema-rs is: it counts a key that looks like a number among the numbers."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from gateway.schema.vocabulary import Steps

_NUMBER = re.compile(r"\+?[0-9]+")


def locate(value: Any, path: Sequence[str | int]) -> Steps:
    """Return the steps to where an error is, with keys as they are: `2`, `02` and `+2` are all 2 to jsonschema-rs.

    Shape: of several such keys the first that the rest of the path fits.
    """
    return _follow(value, path) or tuple(path)


def _follow(value: Any, path: Sequence[str | int]) -> Steps | None:
    if not path:
        return ()
    for key in _list_keys(value, path[0]):
        steps = _follow(value[key], path[1:])
        if steps is not None:
            return (key, *steps)
    return None


def _list_keys(value: Any, step: str | int) -> Iterable[Any]:
    if isinstance(value, dict) and isinstance(step, int):
        return [key for key in value if _NUMBER.fullmatch(key) and (key.lstrip("+0") or "0") == str(step)]
    if isinstance(value, list):
        return [step] if isinstance(step, int) and step < len(value) else []
    return [step] if isinstance(value, dict) and step in value else []
