"""What the flows need from the world, as narrow protocols; `backends/` keeps them.

Every method answers within the deadline it was built with or raises a `BackendError`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct

from gateway.launch.idempotency import Claim
from gateway.launch.launch import LedgerEntry
from gateway.launch.offer import Offer, Outcome


class Revocation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A wish that a task not run, or stop."""

    requested_at: datetime
    terminate: bool = False
    signal: str | None = None


class Remembered(Struct, frozen=True, kw_only=True):
    """All that the ledger knows of one task."""

    entry: LedgerEntry
    revocation: Revocation | None = None


class WorkerView(Struct, frozen=True, kw_only=True):
    """One online Celery worker, as it described itself."""

    active: tuple[dict[str, Any], ...] = ()
    """Running tasks: `task_id`, `name`, `started_at`, `pid`; never their arguments."""
    reserved: tuple[dict[str, Any], ...] = ()
    scheduled: tuple[dict[str, Any], ...] = ()
    registered: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    concurrency: int | None = None
    stats: dict[str, Any] = {}
    """`pid`, `uptime_s`, `processed` per task name, `prefetch`, `pool`."""


class WorkersView(Struct, frozen=True, kw_only=True):
    """The last look at the workers and the queues."""

    workers: dict[str, WorkerView]
    queues: dict[str, int]
    """Messages waiting per queue."""
    as_of: datetime | None
    """None until the first look has ended."""


class Publisher(Protocol):
    """Records launches in the ledger and hands them to the broker: both or neither."""

    async def publish(self, offers: Sequence[Offer], *, all_or_nothing: bool = False) -> list[Outcome]:
        """Record and publish each offer whose conditions hold; with `all_or_nothing` only if those of all do.

        Shape: an outcome for each offer, in their order. A LedgerUnavailableError or BrokerUnavailableError among them
            says that nothing was left behind, an UncertainPublishError that this cannot be known.
        """


class Ledger(Protocol):
    """Remembers each launch until its retention ends."""

    async def identity(self) -> bytes:
        """Return the key of this deployment, made once and shared by all replicas."""

    async def find(self, task_id: str) -> Remembered | None:
        """Return what is remembered of a task, or None."""

    async def keep(self, claim: Claim) -> bytes | None:
        """Keep what was claimed under a key that is free; return what is kept under one that is not."""

    async def record_revocation(self, task_id: str, revocation: Revocation, *, keep_s: int) -> None:
        """Remember that a revoke was asked for; the first one stands."""


class Results(Protocol):
    """Reads what Celery's result backend holds."""

    async def find(self, task_ids: Sequence[str]) -> list[bytes | None]:
        """Return the raw record of each task, in their order; None where the backend has heard nothing of it."""


class Workers(Protocol):
    """Sees the workers, and speaks to them."""

    def view(self) -> WorkersView:
        """Return the last look, from memory."""

    async def revoke(self, task_id: str, *, terminate: bool, signal: str) -> None:
        """Ask every worker not to run a task, or to stop it."""


class Probe(Protocol):
    """One thing the gateway stands on, as readiness sees it."""

    name: str
    warnings: tuple[str, ...]
    """What is dangerous about it though it answers, as far as that has been looked at."""

    async def check(self) -> None:
        """Return when it answers; raise a BackendError when it does not."""
