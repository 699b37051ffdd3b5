"""Task ids: UUIDs of version 7 that this deployment can recognise as its own.

The ledger forgets; an id must not. Twenty-four of the random bits are a keyed digest of the rest, so that an
id whose ledger row has expired can be told from one that was never launched here (410 against 404) without
keeping anything. The key lives in the ledger. It guards no secret: one id in 16 million passes by chance.

Source: RFC 9562, section 5.7 (rand_a and rand_b may hold anything).
"""

import re
from hashlib import blake2b
from struct import Struct
from typing import Annotated

from msgspec import Meta

_PATTERN = r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_CANONICAL = re.compile(_PATTERN)
TaskId = Annotated[str, Meta(pattern=f"^{_PATTERN}$", max_length=36, title="an id from a receipt")]
_GROUPS = Struct("8s4s4s4s12s")
_DIGEST_BYTES = 3
ENTROPY_BYTES = 7
_ENTROPY_BITS = 8 * ENTROPY_BYTES
_HEAD_BYTES = 6 + ENTROPY_BYTES
_FREE_BITS = ~(0xF0_00_C0 << 8 * (_HEAD_BYTES - 9))
_FIXED_BITS = 0x70_00_80 << 8 * (_HEAD_BYTES - 9)
"""Version and variant, in the seventh and the ninth byte."""


def mint(*, now_ms: int, entropy: bytes, identity: bytes) -> str:
    """Make the id of a task.

    Shape: `entropy` is `ENTROPY_BYTES` random bytes; `identity` is the key of this deployment.
    Units: `now_ms` is milliseconds since 1970.
    """
    number = now_ms << _ENTROPY_BITS | int.from_bytes(entropy)
    head = (number & _FREE_BITS | _FIXED_BITS).to_bytes(_HEAD_BYTES)
    groups = _GROUPS.unpack((head + _digest(head, identity)).hex().encode("ascii"))
    return b"-".join(groups).decode("ascii")


def is_task_id(text: str) -> bool:
    """Tell whether a text is a UUID in its canonical form: nothing else reaches the ledger."""
    return _CANONICAL.fullmatch(text) is not None


def read_ms(task_id: str) -> int:
    """Return when a canonical id was minted, in milliseconds since 1970."""
    return int(task_id[:8] + task_id[9:13], 16)


def name_first(ms: int) -> str:
    """Return how the ids begin that were minted in a millisecond: no id of an earlier one sorts behind it."""
    text = f"{ms:012x}"
    return f"{text[:8]}-{text[8:]}"


def is_minted_here(task_id: str, *, identity: bytes) -> bool:
    """Tell whether a canonical id was minted with this identity."""
    raw = bytes.fromhex(task_id.replace("-", ""))
    return raw[-_DIGEST_BYTES:] == _digest(raw[:-_DIGEST_BYTES], identity)


def _digest(head: bytes | bytearray, identity: bytes) -> bytes:
    return blake2b(head, digest_size=_DIGEST_BYTES, key=identity).digest()
