"""Idempotency keys: what makes two requests the same one, and what is remembered of the first.

What comes in: a caller's key and a prepared launch. What goes out: a claim, which a publisher writes in one step with the
launch, or finds written already. Keys and fingerprints are stored as keyed digests: neither tells what it was made of.
Source: IETF draft-ietf-httpapi-idempotency-key-header.
"""

import re
from hashlib import blake2b
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gateway.errors import (
    IdempotencyKeyReusedError,
    LaunchInFlightError,
    MalformedBodyError,
    UncertainPublishError,
)
from gateway.launch.launch import Launch, Receipt

KEEP_S = 86_400
"""How long a key is remembered."""
PENDING_S = 60
"""How long a key is held for a launch whose publish has not ended; only where that takes a second step."""
KeyState = Literal["done", "pending", "uncertain"]
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_ENCODER = msgspec.json.Encoder(order="sorted")


class Remembrance(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept under a key."""

    fingerprint: str
    task_id: str
    receipt: Receipt | None = None
    state: KeyState = "done"


class Claim(Struct, frozen=True, kw_only=True):
    """A key claimed for one launch."""

    key_digest: str
    remembrance: Remembrance

    def encode(self, state: KeyState = "done") -> bytes:
        """Write what is to be kept under the key."""
        return msgspec.json.encode(msgspec.structs.replace(self.remembrance, state=state))


def read_key(header: str) -> str:
    """Read the Idempotency-Key header.

    Raises: MalformedBodyError.
    """
    if not _KEY.fullmatch(header):
        raise MalformedBodyError("an Idempotency-Key is 1 to 255 visible ASCII characters")
    return header


def make_claim(
    launch: Launch, receipt: Receipt, *, key: str, caller: str, options: dict[str, Any], identity: bytes
) -> Claim:
    """Claim a caller's key for a launch; the fingerprint is of what was asked for, defaults included."""
    asked = [caller, launch.task_type, launch.params, options, launch.lineage]
    return Claim(
        key_digest=_digest(_ENCODER.encode([caller, key]), identity),
        remembrance=Remembrance(
            fingerprint=_digest(_ENCODER.encode(asked), identity), task_id=launch.task_id, receipt=receipt
        ),
    )


def join(claim: Claim, receipt: Receipt) -> Claim:
    """Claim the same key for the receipt of a launch that was there before."""
    remembrance = msgspec.structs.replace(claim.remembrance, task_id=receipt.task_id, receipt=receipt)
    return Claim(key_digest=claim.key_digest, remembrance=remembrance)


def replay(claim: Claim, known: bytes) -> Receipt:
    """Return the receipt of the launch that holds the key.

    Raises: IdempotencyKeyReusedError when it was another request; LaunchInFlightError while its publish has not ended;
        UncertainPublishError when that never became known.
    """
    first = msgspec.json.decode(known, type=Remembrance)
    if first.fingerprint != claim.remembrance.fingerprint:
        raise IdempotencyKeyReusedError
    if first.state == "uncertain":
        raise UncertainPublishError(first.task_id)
    if first.state == "pending" or first.receipt is None:
        raise LaunchInFlightError
    return first.receipt


def _digest(data: bytes, identity: bytes) -> str:
    return blake2b(data, digest_size=24, key=identity).hexdigest()
