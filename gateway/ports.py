"""What the flows need from the world, as narrow protocols; `backends/` keeps them.

Every method answers within the deadline it was built with or raises a `BackendError`. A method that returns an awaitable
without being a coroutine has asked by the time it returns: two of them, called one after the other, share a round trip.
"""

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Literal, Protocol

from msgspec import Struct

from gateway.launch.idempotency import Claim
from gateway.launch.launch import LedgerEntry
from gateway.launch.offer import Offer, Outcome
from gateway.launch.withdrawal import Taking, Withdrawal


class Revocation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A wish that a task not run, or stop."""

    requested_at: datetime
    terminate: bool = False
    signal: str | None = None
    withdrawn_at: datetime | None = None
    """When its message was taken out of the broker; no worker can get it any more."""
    confirmed_at: datetime | None = None
    """When it was certain that the task does not run, without any word from Celery: nobody had its message yet."""


class TaskError(Struct, frozen=True, kw_only=True):
    """Why a task failed, as plain data."""

    type: str
    message: str
    traceback: str | None = None


class Run(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the workers' events told of a task before it ended; each is the latest heard of its kind."""

    received_at: datetime | None = None
    started_at: datetime | None = None
    worker: str | None = None
    is_started: bool = False
    """True once it was seen to run, though nobody told since when."""


class Slice(Struct, frozen=True, kw_only=True):
    """Some of the tasks of a set, in the order of their ids."""

    task_ids: tuple[str, ...]
    """Those that are remembered."""
    following: str
    """Where the next slice begins; empty at the end of the set."""
    size: int
    """Tasks of the whole set."""


class Index(Struct, frozen=True, kw_only=True):
    """One way to find launches again."""

    kind: Literal["all", "type", "batch", "chain", "open", "ended"]
    """Ordered by launch, and the last two by id: those whose end nobody has seen, and those that ended in a status."""
    name: str = ""
    """The task type, the batch, the task that a chain begins with, or the status."""


class Place(Struct, frozen=True):
    """One launch as an index holds it."""

    task_id: str
    position: str
    """What stands behind it is asked for with this."""


class Window(Struct, frozen=True, kw_only=True):
    """Bounds on when tasks were launched, both included, in milliseconds since 1970."""

    since_ms: int | None = None
    until_ms: int | None = None


class End(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a task ended: written once, and never changed, whatever the result backend says or forgets afterwards."""

    status: str
    finished_at: datetime | None = None
    started_at: datetime | None = None
    worker: str | None = None
    retries: int = 0
    error: TaskError | None = None
    """Without its traceback, which the result backend keeps as long as the result."""


class Remembered(Struct, frozen=True, kw_only=True):
    """All that the ledger knows of one task."""

    entry: LedgerEntry
    revocation: Revocation | None = None
    run: Run | None = None
    end: End | None = None
    chain: tuple[str, ...] = ()
    """All tasks that are retries of this one, directly or not, in the order of their launches."""


class Found(Struct, frozen=True, kw_only=True):
    """A raw record of the result backend; of one that is too large, its beginning and its end."""

    head: bytes
    tail: bytes = b""
    size: int
    """Bytes of the whole record."""

    @property
    def is_whole(self) -> bool:
        """Tell whether `head` is all of it."""
        return self.size == len(self.head)


News = Literal["changed", "none", "stopped"]
"""What ended a wait: something may have changed; the time is over; whoever waited shall wait no more."""


class LogEntry(Struct, frozen=True, kw_only=True):
    """One thing that happened to a task that somebody follows."""

    entry_id: str
    """Unique in the task's log and greater than the one before; the same on every gateway."""
    run: Run | None = None
    revocation: Revocation | None = None
    end: End | None = None
    record: Found | None = None
    """The result backend's new record; None where it is something else that changed."""


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

    async def withdraw(self, wanted: Sequence[Withdrawal], wish: Revocation) -> dict[str, Taking]:
        """Take back the messages of tasks, wherever they wait, and note in the ledger what was taken.

        Shape: only what was taken is told of; with a broker that gives nothing back, what never reached it.
        """


class Ledger(Protocol):
    """Remembers each launch until its retention ends."""

    async def identity(self) -> bytes:
        """Return the key of this deployment, made once and shared by all replicas."""

    def find(self, task_ids: Sequence[str]) -> Awaitable[list[Remembered | None]]:
        """Ask what is remembered of tasks; in their order, None for each that is not."""

    async def settle(self, task_id: str, end: End) -> None:
        """Write down how a task ended; the first one stands. Whoever waits for the task is told."""

    async def keep(self, claim: Claim) -> bytes | None:
        """Keep what was claimed under a key that is free; return what is kept under one that is not."""

    async def record_revocations(self, task_ids: Sequence[str], wish: Revocation) -> None:
        """Remember that tasks shall not run; the first wish stands, until one terminates."""


class History(Protocol):
    """Finds launches again, the newest first."""

    async def measure(self, indexes: Sequence[Index]) -> list[int]:
        """Tell how many launches each index holds, expired ones included."""

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

    async def settle(self, ends: Mapping[str, End], *, started: Mapping[str, str | None]) -> bool:
        """Write down how tasks ended, the first end of each stands, and that others have started, by which worker.

        Shape: False when the right to do so, got with `take`, was lost meanwhile; then nothing was written.
        """


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


class Workers(Protocol):
    """Sees the workers, and speaks to them."""

    def view(self) -> WorkersView:
        """Return the last look, from memory."""

    def find_lost_at(self, worker: str) -> datetime | None:
        """Tell since when a worker is gone, by its heartbeats; None while it lives, or where that is not known."""

    async def revoke(self, task_ids: Sequence[str], *, terminate: bool, signal: str) -> None:
        """Ask every worker that is alive not to run tasks, or to stop them."""


class Probe(Protocol):
    """One thing the gateway stands on, as readiness sees it."""

    name: str
    warnings: tuple[str, ...]
    """What is dangerous about it though it answers, as far as that has been looked at."""

    async def check(self) -> None:
        """Return when it answers; raise a BackendError when it does not."""
