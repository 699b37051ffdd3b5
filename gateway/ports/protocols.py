"""What the flows need from the world, as narrow protocols; `backends/` keeps them.

Every method answers within the deadline it was built with or raises a `BackendError`. A method that returns an awaitable
without being a coroutine has asked by the time it returns: two of them, called one after the other, share a round trip.
"""

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from gateway.launch.idempotency import Claim
from gateway.launch.launch import Launch
from gateway.launch.offer import Offer, Outcome
from gateway.launch.withdrawal import Taking, Withdrawal
from gateway.ports.values import (
    End,
    FeedEntry,
    Found,
    Index,
    LogEntry,
    Missing,
    MissingSlice,
    News,
    Place,
    Remembered,
    Revocation,
    Slice,
    Window,
    WorkersView,
)


class Publisher(Protocol):
    """Records launches in the ledger and hands them to the broker: both or neither."""

    def publish(self, offers: Sequence[Offer], *, all_or_nothing: bool = False) -> Awaitable[list[Outcome]]:
        """Record and publish each offer whose conditions hold; with `all_or_nothing` only if those of all do.

        Shape: an outcome for each offer, in their order. A LedgerUnavailableError or BrokerUnavailableError among them
            says that nothing was left behind, an UncertainPublishError that this cannot be known.
        """

    async def withdraw(self, wanted: Sequence[Withdrawal], wish: Revocation) -> dict[str, Taking]:
        """Take back the messages of tasks, wherever they wait, and note in the ledger what was taken.

        Shape: only what was taken is told of; with a broker that gives nothing back, what never reached it.
        """


class Ledger(Protocol):
    """Remembers each launch until its retention ends."""

    known_identity: bytes | None
    """The key of this deployment, once it was asked for."""

    async def identity(self) -> bytes:
        """Return the key of this deployment, made once and shared by all replicas."""

    def find(self, task_ids: Sequence[str]) -> Awaitable[list[Remembered | None]]:
        """Ask what is remembered of tasks; in their order, None for each that is not."""

    async def settle(self, task_id: str, end: End) -> bool:
        """Write down how a task ended; the first one stands, and this tells whether it is. Whoever waits is told."""

    async def keep(self, claim: Claim) -> bytes | None:
        """Keep what was claimed under a key that is free; return what is kept under one that is not."""

    async def record_revocations(self, task_ids: Sequence[str], wish: Revocation) -> None:
        """Remember that tasks shall not run; the first wish stands, until one terminates."""

    def find_kept(self, key_digests: Sequence[str]) -> Awaitable[list[bytes | None]]:
        """Ask what is kept under keys; in their order, None for each that is free."""


class History(Protocol):
    """Finds launches again, the newest first."""

    async def measure(self, indexes: Sequence[Index]) -> list[int]:
        """Tell about how many launches each index holds, expired ones included."""

    async def walk(self, indexes: Sequence[Index], *, before: str, count: int, window: Window) -> list[list[Place]]:
        """Return the next launches of each index behind a position, or from its beginning where that is empty.

        Shape: a list for each index; one of fewer than `count` ends it. The first index is read before the others.
            None that was launched in the window is missing, but others may be there, and such as have expired.
        """


class OpenTasks(Protocol):
    """The tasks whose end nobody has seen; one gateway at a time looks after them."""

    async def take(self, after: str, *, count: int) -> Slice | None:
        """Return the next open tasks behind one; None while another gateway looks after them."""

    async def trim(self, status: str, after: str, *, count: int) -> Slice | None:
        """Forget which of the next tasks that ended with a status have expired, and return the others; as `take`."""

    async def settle(self, ends: Mapping[str, End], *, started: Mapping[str, str | None]) -> frozenset[str]:
        """Write down how tasks ended, the first end of each stands, and that others have started, by which worker.

        Shape: the tasks whose first end this was; none when the right to write, got with `take`, was lost meanwhile: then
            nothing was written.
        """

    async def take_ended(self, *, count: int) -> tuple[str, ...]:
        """Take some tasks whose end a worker wrote down itself, each once over all gateways; nobody has counted them."""


class Backlog(Protocol):
    """Measures what the ledger waits for."""

    async def measure(self) -> tuple[int, int]:
        """Return how many launches wait for their broker, and of how many tasks nobody has seen the end.

        Raises: BackendError.
        """


class Tally(Protocol):
    """Counts what happens, for metrics; it never waits and never fails."""

    def note_answer(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer, and how long it took to begin."""

    def note_refusal(self, code: str) -> None:
        """Count a refusal."""

    def note_failure(self, code: str) -> None:
        """Count a failure of what the gateway stands on."""

    def note_launch(self, task_type: str) -> None:
        """Count a launch that was accepted."""

    def note_end(self, task_type: str, outcome: str, *, queued_s: float | None, run_s: float | None) -> None:
        """Count an end, where it was written down first."""

    def note_uncertain(self) -> None:
        """Count a message that was sent, and not seen confirmed."""

    def note_resent(self) -> None:
        """Count a message that left the outbox late."""

    def note_redelivery(self) -> None:
        """Count a message that was sent again for one that was lost with a worker."""

    def note_given_up(self) -> None:
        """Count a lost task that was ended rather than sent again."""


class Deliveries(Protocol):
    """The messages of a broker whose queues can be looked into; one gateway at a time looks after them."""

    async def find_missing(self, after: str, *, count: int) -> MissingSlice | None:
        """Look at the next open tasks behind one; None while another gateway looks after them.

        Shape: one that is missing may be in an odd place; one that is not missing may be later.
        """

    async def look_again(self, task_ids: Sequence[str]) -> list[Missing]:
        """Return which of some tasks are still missing; none of them while another gateway looks after them."""

    async def search(self, queues: Mapping[str, str]) -> frozenset[str]:
        """Return which tasks are found, given each with its queue, by looking at every message."""

    async def redeliver(self, launch: Launch, *, retries: int) -> bool:
        """Send the message of a recorded launch again, and note it, unless it has been seen meanwhile."""

    async def conclude(self, launch: Launch, end: End) -> bool:
        """Write down how a task ended that nobody will run, unless it has been seen meanwhile."""


class Results(Protocol):
    """Reads what Celery's result backend holds."""

    def find(self, task_ids: Sequence[str], *, max_bytes: int | None = None) -> Awaitable[list[Found | None]]:
        """Ask for the raw record of each task, in their order; None where the backend has heard nothing of it.

        Units: of a record larger than `max_bytes`, or than the deployment allows, come its beginning and its end.
        """

    async def load(self, task_id: str) -> bytes | None:
        """Return a whole raw record, however large."""

    def channel_of(self, task_id: str) -> str | None:
        """Name the channel on which the backend publishes each record of a task; None where it must be polled."""

    async def mark_asked(self, task_ids: Sequence[str]) -> None:
        """Mark tasks with `REVOKE_REQUESTED`, before workers are asked not to run them."""

    async def mark_revoked(self, task_ids: Sequence[str], *, at: datetime) -> None:
        """Write of tasks that never ran what Celery writes of revoked ones, so that its own clients see it."""


class Watch(Protocol):
    """One who waits for a task to change."""

    async def wait(self, timeout_s: float) -> News:
        """Wait for news; what came since the last wait counts."""

    def stop(self) -> None:
        """Wait no more, from anywhere."""


class Changes(Protocol):
    """Tells at once when something about a task may have changed."""

    def watch(self, task_id: str) -> AbstractAsyncContextManager[Watch]:
        """Watch a task: no change after this has been entered is missed."""


class TaskLog(Protocol):
    """Keeps, of tasks that somebody follows, all that happens to them, in one order for all gateways."""

    async def open(self, task_id: str, record: Found | None) -> None:
        """Begin the log with what is known, unless there is one; from now on the task is followed, for a while."""

    async def read(self, task_id: str, after: str) -> list[LogEntry]:
        """Return the entries behind one, `0` for all; none where there is no log, or none any more."""


class Feed(Protocol):
    """Keeps, while somebody follows it, every status that any task comes to, in one order for all gateways."""

    async def open(self) -> str:
        """Have the feed written, for a while; return the id of its last entry."""

    async def wait_for_follower(self) -> None:
        """Wait until this process hears what goes into the feed, or raise a BackendError; where others write it, not at all."""

    async def read(self, after: str) -> list[FeedEntry]:
        """Return the next entries behind one, a bounded number."""

    async def read_back(self, until: str) -> list[FeedEntry]:
        """Return the last entries up to one, itself among them, a bounded number."""


class Workers(Protocol):
    """Sees the workers, and speaks to them."""

    def view(self) -> WorkersView:
        """Return what is known of them, from memory."""

    def find_lost_at(self, worker: str, *, started_at: datetime | None = None) -> datetime | None:
        """Tell since when a worker is gone, or its process of `started_at`; None while it lives, or is not known."""

    async def revoke(self, task_ids: Sequence[str], *, terminate: bool, signal: str) -> None:
        """Ask every worker that is alive not to run tasks, or to stop them."""
