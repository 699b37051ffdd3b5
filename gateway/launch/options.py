"""The options of one launch: what a caller may set beside the params, where the file allows it."""

from datetime import datetime, timedelta
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta, Struct

from gateway.config.words import show_type
from gateway.errors import Fault
from gateway.launch.text import read_text

MAX_DELAY_S = 31_536_000


class LaunchOptions(Struct, frozen=True, kw_only=True):
    """What a caller asked for; None where nothing was said."""

    countdown_s: Annotated[float, Meta(ge=0, le=MAX_DELAY_S, description="Not before so many seconds.")] | None = None
    eta: Annotated[datetime, Meta(tz=True, description="Not before this moment, with its UTC offset.")] | None = None
    expires_s: (
        Annotated[float, Meta(gt=0, le=MAX_DELAY_S, description="Not started by then, it does not run.")] | None
    ) = None
    priority: Annotated[int, Meta(ge=0, le=255, description="Message priority.")] | None = None


NO_OPTIONS = LaunchOptions()
_HINTS = get_type_hints(LaunchOptions, include_extras=True)


def read_options(given: dict[str, Any], *, allowed: frozenset[str], strict: bool, at: str) -> LaunchOptions:
    """Read the options of a launch; collect every fault.

    Shape: `strict` is False for a query string, where numbers come as text; `at` is the JSON Pointer of `given`.
    Raises: InvalidOptionsError, which the caller joins with the faults of the params.
    """
    if not given:
        return NO_OPTIONS
    read, faults = _read_each(given, allowed=allowed, strict=strict, at=at)
    if not faults and given.get("eta") is not None and given.get("countdown_s") is not None:
        faults.append(Fault(pointer=f"{at}/eta", code="conflict", detail="eta and countdown_s exclude each other"))
    if faults:
        raise InvalidOptionsError(tuple(faults))
    return LaunchOptions(**read)


class InvalidOptionsError(ValueError):
    """Raised when options do not hold; its faults join those of the params."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = faults


def start_at(options: LaunchOptions, *, now: datetime) -> datetime | None:
    """Return the earliest moment to run, or None for at once."""
    if options.countdown_s:
        return now + timedelta(seconds=options.countdown_s)
    return options.eta


def _read_each(
    given: dict[str, Any], *, allowed: frozenset[str], strict: bool, at: str
) -> tuple[dict[str, Any], list[Fault]]:
    read: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, value in given.items():
        pointer = f"{at}/{name.replace('~', '~0').replace('/', '~1')[:128]}"
        if fault := _find_fault(name, pointer, allowed):
            faults.append(fault)
            continue
        kind = _HINTS[name]
        try:
            read[name] = msgspec.convert(value, kind) if strict else read_text(value, kind)
        except msgspec.ValidationError:
            faults.append(Fault(pointer=pointer, code="type", detail=f"wanted {show_type(kind)}"))
    return read, faults


def _find_fault(name: str, pointer: str, allowed: frozenset[str]) -> Fault | None:
    if name not in _HINTS:
        return Fault(pointer=pointer, code="additionalProperties", detail="no such option", expected=sorted(allowed))
    if name not in allowed:
        detail = f"this task type does not let a caller set {name}"
        return Fault(pointer=pointer, code="not_allowed", detail=detail, expected=sorted(allowed))
    return None
