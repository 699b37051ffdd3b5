"""Who did what: the record of one deed, or of one that was refused. Pure."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

Action = Literal["launch", "retry", "revoke", "retry_many", "revoke_many", "reload", "access"]
"""What was done, or tried; `access` is any other request, and is on record only when it was refused."""
ACCEPTED: Final = "accepted"
_DIGEST_BYTES: Final = 12
_ENCODER = msgspec.json.Encoder(order="sorted")


class Deed(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One thing that somebody did, or was refused."""

    at: datetime
    caller: str = ""
    """As `key:ci`; left out where nobody is told apart, or was known."""
    origin: str = ""
    """The address that the request came from."""
    request_id: str = ""
    action: Action
    outcome: str
    """`accepted`, `replayed` for a launch that had happened before, `joined`, or the code of the problem."""
    task_type: str | None = None
    task_id: str | None = None
    task_ids: tuple[str, ...] = ()
    """Of many tasks, the first thousand."""
    params_digest: str | None = None
    """Keyed by the deployment: tells launches with the same params apart from others; secret ones are not in it."""
    count: int = 1
    """Tasks of a request about many; or how often somebody unknown was refused within a moment."""


def digest_params(params: Mapping[str, Any], *, identity: bytes) -> str:
    """Return what tells params apart, and tells nothing of them without the deployment's key."""
    return blake2b(_ENCODER.encode(params), digest_size=_DIGEST_BYTES, key=identity).hexdigest()
