"""Idempotency keys: what makes two requests the same one, and what is remembered of the first.

What comes in: a caller's key and a prepared launch. What goes out: a claim, which a publisher writes in one step with the
launch, or finds written already. Keys and fingerprints are stored as keyed digests: neither tells what it was made of.
Source: IETF draft-ietf-httpapi-idempotency-key-header.
"""

import re
from datetime import timedelta
from hashlib import blake2b
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gateway.errors import (
    AlreadyRetriedError,
    IdempotencyKeyReusedError,
    LaunchInFlightError,
    MalformedBodyError,
    UncertainPublishError,
)
from gateway.launch.launch import Launch, LedgerEntry, Receipt

KEEP_S = 86_400
"""How long a key is remembered."""
PENDING_S = 60
"""Older than that, a launch whose publish has not ended never will: its gateway died on the way."""
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
    keep_s: int = KEEP_S
    is_of_retry: bool = False
    """True when the key is the task that is retried: each task once."""
    is_forced: bool = False
    """Taken over from whoever holds it."""

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


def claim_retry(
    launch: Launch, receipt: Receipt, *, source: LedgerEntry, overrides: dict[str, Any], force: bool, identity: bytes
) -> Claim:
    """Claim a task for its one retry, for as long as such a task is remembered; what was set anew tells two wishes apart."""
    return Claim(
        key_digest=digest_retry(source.task_id, identity=identity),
        remembrance=Remembrance(
            fingerprint=_digest(_ENCODER.encode(overrides), identity), task_id=launch.task_id, receipt=receipt
        ),
        keep_s=source.keep_s,
        is_of_retry=True,
        is_forced=force,
    )


def digest_retry(task_id: str, *, identity: bytes) -> str:
    """Return the key that stands for the retry of a task: no caller's key is written like it."""
    return _digest(_ENCODER.encode(["retry", "of", task_id]), identity)


def join(claim: Claim, receipt: Receipt) -> Claim:
    """Claim the same key for the receipt of a launch that was there before."""
    remembrance = msgspec.structs.replace(claim.remembrance, task_id=receipt.task_id, receipt=receipt)
    return msgspec.structs.replace(claim, remembrance=remembrance)


def replay(claim: Claim, known: bytes) -> Receipt:
    """Return the receipt of the launch that holds the key.

    Raises: IdempotencyKeyReusedError or AlreadyRetriedError when it was another request; LaunchInFlightError while its publish has not ended;
        UncertainPublishError when that never became known.
    """
    first = msgspec.json.decode(known, type=Remembrance)
    if first.fingerprint != claim.remembrance.fingerprint:
        raise AlreadyRetriedError(first.task_id) if claim.is_of_retry else IdempotencyKeyReusedError
    if first.state == "uncertain":
        raise UncertainPublishError(first.task_id)
    if first.receipt is None:
        raise LaunchInFlightError
    if first.state == "pending":
        now = claim.remembrance.receipt.launched_at if claim.remembrance.receipt else first.receipt.launched_at
        if now - first.receipt.launched_at > timedelta(seconds=PENDING_S):
            raise UncertainPublishError(first.task_id)
        raise LaunchInFlightError
    return first.receipt


def _digest(data: bytes, identity: bytes) -> str:
    return blake2b(data, digest_size=24, key=identity).hexdigest()
