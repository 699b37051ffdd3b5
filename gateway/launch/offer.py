"""What is handed to a publisher, and what becomes of it.

What comes in: a launch and the conditions under which it may happen. What goes out: one outcome, of few kinds; a failure
of the broker or the ledger is one of them, as it concerns one launch of many.
"""

from msgspec import Struct

from gateway.errors import BackendError, TaskUnavailableError
from gateway.launch.idempotency import Claim
from gateway.launch.launch import Launch
from gateway.launch.quota import Room


class Offer(Struct, frozen=True, kw_only=True):
    """A launch that happens if its claimed keys are free, its slot is, its queue is not too deep and its quotas have room."""

    launch: Launch
    claims: tuple[Claim, ...] = ()
    finished: tuple[str, ...] = ()
    """Holders of the slot that were seen to have ended; they are removed in the same step."""
    may_replace: bool = False
    """True once it is known which holders have ended, so that only one that has not is replaced."""


class Published(Struct, frozen=True, kw_only=True):
    """It happened: the launch is in the ledger, and in the broker or on its way there."""

    replaced: tuple[str, ...] = ()
    """Tasks that lost the slot to this one; their revokes are in the ledger already."""
    is_parked: bool = False
    """True while the broker is away: the message leaves the ledger's outbox when it is back."""
    rooms: tuple[Room, ...] = ()
    """What it left of each of its quotas."""


class Known(Struct, frozen=True, kw_only=True):
    """It did not: a claimed key belongs to an earlier request."""

    remembrance: bytes
    number: int = 0
    """Which of the claims, counted from 0."""


class Held(Struct, frozen=True, kw_only=True):
    """It did not: these tasks hold all slots."""

    holders: tuple[str, ...]


class QueueFull(Struct, frozen=True, kw_only=True):
    """It did not: so many messages wait in its queue already."""

    depth: int


class Limited(Struct, frozen=True, kw_only=True):
    """It did not: its caller has launched as often as it may."""

    number: int
    """The quota that is longest without room, counted from 0."""
    wait_ms: int
    """When there will be."""
    rooms: tuple[Room, ...]


class Withheld(Struct, frozen=True, kw_only=True):
    """It did not, though nothing speaks against it: another one of its all-or-nothing batch was refused."""


Outcome = Published | Known | Held | QueueFull | Limited | Withheld | TaskUnavailableError | BackendError
PUBLISHED = Published()
