"""What is known of tasks and workers, as it crosses the ports."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from gateway.errors import Issue
from gateway.launch.launch import LedgerEntry
from gateway.ports.fleet import Fleet
from gateway.ports.worker import WorkerView


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
    redeliveries: int = 0
    """How often its message was lost and sent again by a gateway."""
    redelivered_at: datetime | None = None


class Slice(Struct, frozen=True, kw_only=True):
    """Some of the tasks of a set, in the order of their ids."""

    task_ids: tuple[str, ...]
    """Those that are remembered."""
    following: str
    """Where the next slice begins; empty at the end of the set."""
    size: int
    """Tasks of the whole set."""


class Missing(Struct, frozen=True, kw_only=True):
    """A task that has not ended, and whose message is neither in its queue nor, as far as that is known, in anybody's hands."""

    task_id: str
    retries: int = 0
    """How often Celery has retried it, as far as a worker has told."""
    is_holder_dead: bool = False
    """True when a worker with the kit ran it, and has renewed its claim no more."""


class MissingSlice(Struct, frozen=True, kw_only=True):
    """What is missing among some of the open tasks."""

    missing: tuple[Missing, ...]
    following: str
    """Where the next slice begins; empty at the end."""
    exact: frozenset[str]
    """The workers alive that have the kit: of their tasks the ledger knows all."""
    known: frozenset[str]
    """The workers that any gateway heard of lately, those that died among them."""


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


ALL_TASKS = "*"
"""Watched instead of a task's id, it stands for the feed of all."""
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


class FeedEntry(Struct, frozen=True, kw_only=True):
    """One status that some task came to."""

    entry_id: str
    """Milliseconds of the ledger's clock, and a number: unique, and the same on every gateway."""
    task_id: str
    status: str


class ConfigFailure(Struct, frozen=True, kw_only=True):
    """The last attempt at a new tasks.yaml, which failed."""

    at: datetime
    content: str
    """Digest of what was read."""
    detail: str
    issues: tuple[Issue, ...] = ()


class Authentication(Struct, frozen=True, kw_only=True):
    """How callers are known, and what is wrong with that."""

    kinds: tuple[Literal["keys", "tokens"], ...] = ()
    """None where everybody may do everything."""
    is_insecure: bool = False
    """True where other hosts are served without any: something else is said to guard the port."""
    keys: int = 0
    """API keys that are valid now."""
    issues: tuple[Issue, ...] = ()
    """Lines of the keys file that are no keys."""
    failure: str | None = None
    """Why the present keys file is not read, or the tokens' keys are not: those of before hold on."""
    unknown_roles: tuple[str, ...] = ()
    """Roles of keys that tasks.yaml does not declare: nobody gave them anything."""


class ConfigState(Struct, frozen=True, kw_only=True):
    """What a process serves, and since when."""

    path: str
    digest: str
    generation: int
    loaded_at: datetime
    failures: int = 0
    """Attempts at a new file that failed, since the process began."""
    failure: ConfigFailure | None = None
    """The last one, if what is served is older than it."""
    authentication: Authentication = Authentication()


class WorkersView(Struct, frozen=True, kw_only=True):
    """What is known of the workers and the queues."""

    workers: dict[str, WorkerView]
    """Those that are online, and some that were."""
    queues: dict[str, int]
    """Messages waiting per queue."""
    oldest: dict[str, datetime] = {}
    """When the launch was accepted that has waited longest in a queue; queues where nobody can tell are left out."""
    totals: dict[str, dict[str, int]] = {}
    """For each task type how many were `launched`, and how many ended in each status, ever."""
    as_of: datetime | None
    """When the broker was last heard; None until there was time to answer for whoever is there."""
    is_heard: bool = True
    """False while the broker cannot be listened to."""
    fleet: Fleet | None = None
    """The workers that are online, added up; None where nobody has done so yet."""
