"""What a verified token says of its caller. Pure.

What comes in: claims whose signature, issuer, audience and expiry hold. What goes out: a caller, or none where the claims do
not name one.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from gateway.access.caller import Caller
from gateway.access.keys import ROLE

MOST_ROLES: Final = 100
"""More are not looked at: a token is as large as its issuer makes it."""
_SUBJECT = re.compile(r"[!-~]{1,128}")


def read_caller(claims: Mapping[str, Any], *, caller_claim: str, roles_claim: str) -> Caller | None:
    """Read who presents a token, and their roles; both claims are paths, as `realm_access.roles`.

    Shape: roles are a list, or a text with spaces between them; what cannot be a role of a file is none.
    """
    name = _find(claims, caller_claim)
    if not isinstance(name, str) or not _SUBJECT.fullmatch(name):
        return None
    return Caller(id=f"token:{name}", roles=frozenset(_read_roles(_find(claims, roles_claim))), kind="token")


def _find(claims: Any, path: str) -> Any:
    """Follow a path; a claim whose own name has dots in it, as a URL, is found by that name."""
    if isinstance(claims, Mapping) and path in claims:
        return claims[path]
    for step in path.split("."):
        claims = claims.get(step) if isinstance(claims, Mapping) else None
    return claims


def _read_roles(found: Any) -> Iterable[str]:
    given = found.split() if isinstance(found, str) else found if isinstance(found, list) else ()
    return (each for each in given[:MOST_ROLES] if isinstance(each, str) and re.fullmatch(ROLE, each))
