"""Who asks: decided once for each request, from what it presents, and handed on as a value."""

from typing import Literal

from msgspec import Struct

from gateway.config.roles import ADMIN

Kind = Literal["anybody", "nobody", "key", "token"]


class Caller(Struct, frozen=True, kw_only=True):
    """One who asks."""

    id: str
    """As `key:ci`: unique over all kinds, so that one caller never passes for another; empty where nobody is told apart."""
    roles: frozenset[str]
    kind: Kind


ANYBODY = Caller(id="", roles=frozenset({ADMIN}), kind="anybody")
"""Whoever asks a gateway without authentication."""
NOBODY = Caller(id="", roles=frozenset(), kind="nobody")
"""Whoever asks one with authentication, and presents nothing that is known."""
