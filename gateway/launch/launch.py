"""One accepted launch: what goes to the broker, what the ledger keeps of it, what the caller gets.

Values only: nothing here reads a clock, mints an id or talks to a broker.
"""

from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from gateway.config.model import RECONCILE_AFTER_S, Delivery, WhenUnavailable
from gateway.launch.quota import Quota
from gateway.launch.slot import Slot
from gateway.launch.trace import Trace

REPR_CHARACTERS = 1024
"""Longest `kwargsrepr`, as Celery bounds its own."""


class Lineage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a task comes from when it is a retry of another one."""

    retry_of: str
    root_id: str
    attempt: int
    """2 for the first retry."""


class Launch(Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A validated launch, ready to be recorded and published."""

    task_id: str = ""
    """Empty until it is minted, the last thing before the publish."""
    task_type: str
    name: str
    params: dict[str, Any]
    """What the worker gets as keyword arguments, secrets included: never logged, never recorded."""
    secret_names: frozenset[str] = frozenset()
    queue: str
    priority: int | None = None
    is_plain: bool = True
    """False when only Celery itself can write the message, for an exchange, a serializer or a compression of its own."""
    eta: datetime | None = None
    expires_at: datetime | None = None
    time_limit_s: int | None = None
    soft_time_limit_s: int | None = None
    keep_s: int
    longest_keep_s: int = 0
    """The longest that any launch of this catalog is remembered: so long the history goes back."""
    launched_at: datetime
    digest: str
    generation: int
    lineage: Lineage | None = None
    launched_by: str | None = None
    batch_id: str | None = None
    slot: Slot | None = None
    max_queued: int | None = None
    """A queue that holds as many messages takes no more."""
    quotas: tuple[Quota, ...] = ()
    """It takes one unit of each."""
    delivery: Delivery = "at_least_once"
    """What becomes of it when its worker dies with it."""
    reconcile_after_s: int = RECONCILE_AFTER_S
    when_unavailable: WhenUnavailable = "queue"
    """What is to be done when no live worker would run it."""
    warnings: tuple[str, ...] = ()
    """What its caller should know though it was accepted."""
    trace: Trace | None = None
    """The trace that it belongs to: in its message only, never in its row."""
    row: "LedgerEntry | None" = None
    """The draft of its row, where its task type has one."""

    def __repr__(self) -> str:
        """Name the launch without its values."""
        return f"Launch({self.task_type!r}, {self.task_id!r})"

    @property
    def public_params(self) -> dict[str, Any]:
        """The params without the secret ones."""
        if not self.secret_names:
            return self.params
        return {name: value for name, value in self.params.items() if name not in self.secret_names}


class LedgerEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the ledger remembers of one launch: enough to show it and to launch it again."""

    delivery: Delivery = "at_least_once"
    """This and the next two stand first, so that scripts find them without reading a whole row: `claims.lua`, `missing.lua`."""
    queue: str
    priority: int | None = None
    task_id: str
    task_type: str
    name: str
    params: dict[str, Any]
    """Without the secret ones."""
    secrets: tuple[str, ...] = ()
    """Names of the secret params that were given; a retry must be given them again."""
    is_plain: bool = True
    launched_at: datetime
    eta: datetime | None = None
    expires_at: datetime | None = None
    time_limit_s: int | None = None
    soft_time_limit_s: int | None = None
    keep_s: int
    reconcile_after_s: int = RECONCILE_AFTER_S
    digest: str
    generation: int
    lineage: Lineage | None = None
    launched_by: str | None = None
    """The caller; None where nobody was told apart."""
    batch_id: str | None = None


class Receipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Proof that a launch was accepted: it is in the ledger and in the broker."""

    task_id: str
    task_type: str
    name: str
    status: str
    message: str
    launched_at: datetime
    status_url: str
    retry_of: str | None = None
    root_id: str | None = None
    attempt: int | None = None
    is_joined: bool = False
    """True when nothing was launched, as the same work was under way: this is its receipt."""
    replaced: tuple[str, ...] = ()
    """Tasks that were revoked to make room."""
    warnings: tuple[str, ...] = ()
    """Why it may wait, where its task type wants that said (`when_unavailable: warn`)."""


class DryRun(Struct, frozen=True, kw_only=True):
    """What a launch would have sent; nothing was launched."""

    task_type: str
    name: str
    params: dict[str, Any]
    """With the defaults filled in; secret ones read `"***"`."""
    options: dict[str, Any]
    dry_run: bool = True
    message: str = "nothing was launched"
    warnings: tuple[str, ...] | UnsetType = UNSET
    """As in a receipt; left out when there is none."""


def record(launch: Launch) -> LedgerEntry:
    """Keep of a launch what may be kept."""
    return replace(
        launch.row or draft_row(launch),
        task_id=launch.task_id,
        params=launch.public_params,
        secrets=tuple(sorted(launch.secret_names & launch.params.keys())) if launch.secret_names else (),
        priority=launch.priority,
        launched_at=launch.launched_at,
        eta=launch.eta,
        expires_at=launch.expires_at,
        lineage=launch.lineage,
        launched_by=launch.launched_by,
        batch_id=launch.batch_id,
    )


def draft_row(launch: Launch) -> LedgerEntry:
    """Draft what the ledger keeps of a launch: what is the same for all of its task type."""
    return LedgerEntry(
        delivery=launch.delivery,
        queue=launch.queue,
        task_id="",
        task_type=launch.task_type,
        name=launch.name,
        params={},
        is_plain=launch.is_plain,
        launched_at=launch.launched_at,
        time_limit_s=launch.time_limit_s,
        soft_time_limit_s=launch.soft_time_limit_s,
        keep_s=launch.keep_s,
        reconcile_after_s=launch.reconcile_after_s,
        digest=launch.digest,
        generation=launch.generation,
    )


def restore(entry: LedgerEntry) -> Launch:
    """Make a recorded launch again, as it was; what was secret in it is missing."""
    return Launch(**{name: getattr(entry, name) for name in entry.__struct_fields__ if name != "secrets"})


def write_receipt(launch: Launch | LedgerEntry, *, prefix: str) -> Receipt:
    """Answer an accepted launch; `prefix` is the path before `/tasks`."""
    lineage = launch.lineage
    receipt = Receipt(
        task_id=launch.task_id,
        task_type=launch.task_type,
        name=launch.name,
        status="PENDING",
        message=f"{launch.task_type} was launched",
        launched_at=launch.launched_at,
        status_url=f"{prefix}/tasks/{launch.task_id}",
        warnings=launch.warnings if isinstance(launch, Launch) else (),
    )
    if lineage is None:
        return receipt
    return replace(
        receipt,
        message=f"{launch.task_type} was launched again",
        retry_of=lineage.retry_of,
        root_id=lineage.root_id,
        attempt=lineage.attempt,
    )


def write_joined_receipt(entry: LedgerEntry, *, prefix: str) -> Receipt:
    """Answer a launch that found the same work under way."""
    receipt = write_receipt(entry, prefix=prefix)
    return replace(receipt, message=f"joined the {entry.task_type} that is under way", is_joined=True)


def show_dry_run(launch: Launch) -> DryRun:
    """Show what would have been sent, without the secrets."""
    params = {name: "***" if name in launch.secret_names else value for name, value in launch.params.items()}
    options = {
        "queue": launch.queue,
        "priority": launch.priority,
        "eta": launch.eta,
        "expires_at": launch.expires_at,
        "time_limit_s": launch.time_limit_s,
        "soft_time_limit_s": launch.soft_time_limit_s,
    }
    return DryRun(
        task_type=launch.task_type,
        name=launch.name,
        params=params,
        options=options,
        warnings=launch.warnings or UNSET,
    )


def show_params(launch: Launch) -> str:
    """Return the `kwargsrepr`, which logs and events show: secrets masked, length bounded."""
    params = launch.params
    if launch.secret_names:
        params = {name: "***" if name in launch.secret_names else value for name, value in params.items()}
    text = repr(params)
    return text if len(text) <= REPR_CHARACTERS else text[: REPR_CHARACTERS - 1] + "…"
