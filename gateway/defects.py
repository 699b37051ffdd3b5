"""What is wrong with what somebody wrote: an issue of a file, a fault of a request. Values only."""

from typing import Any

from msgspec import Struct


class Issue(Struct, frozen=True, kw_only=True):
    """One defect of a `tasks.yaml`, with the place where it stands."""

    file: str
    line: int
    """1-based; 1 where the whole file is meant."""
    column: int
    """1-based, in characters."""
    path: str
    """Dotted, as `tasks.resize.parameters.width`; empty for the file itself."""
    found: str
    wanted: str
    hint: str | None = None
    """The near miss or the way out, if there is one: a whole clause, as `did you mean 'queue'?`."""

    def __str__(self) -> str:
        """Render the one line that operators read."""
        place = f"{self.file}:{self.line}:{self.column}: "
        path = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{path}found {self.found}, wanted {self.wanted}{hint}"


class Fault(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reason why a launch's body was refused."""

    pointer: str
    """JSON Pointer into the request body, as `/params/months`."""
    code: str
    """The JSON Schema keyword that refused the value, or our own word."""
    detail: str
    """Plain words; never the value itself, which may be a secret."""
    expected: Any = None
