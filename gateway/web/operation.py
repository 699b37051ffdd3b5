"""What OpenAPI says of one route, and the gate of who may use it."""

from typing import Any

from msgspec import Struct

from gateway.web.gate import KNOWN


class Operation(Struct, frozen=True, kw_only=True):
    """One route."""

    method: str
    path: str
    operation_id: str
    summary: str
    tag: str
    is_prefixed: bool = True
    right: str = KNOWN
    """Who may use it: anybody, every known caller by what this one sees, or those with a power."""
    query: type[Struct] | None = None
    headers: tuple[Any, ...] = ()
    """The headers that it reads, as OpenAPI's parameters."""
    body: type[Struct] | None = None
    is_body_required: bool = True
    media_type: str = "application/json"
    answers: dict[str, tuple[Any, ...]]
    """Status to its description and the types that the body may have."""
    problems: tuple[int, ...] = ()
