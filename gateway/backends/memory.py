"""All ports in memory: for tests and for trying a tasks.yaml without a broker; kept to the same contract."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from gateway.backends.memory_quotas import MemoryQuotas
from gateway.launch.idempotency import Claim
from gateway.launch.launch import Launch, record
from gateway.launch.offer import Held, Known, Offer, Outcome, Published, QueueFull, Withheld
from gateway.launch.withdrawal import Taking, Withdrawal
from gateway.ports import End, Found, Remembered, Revocation, WorkersView


class Revoke(Struct, frozen=True, kw_only=True):
    """One revoke as the workers would have received it."""

    task_id: str
    terminate: bool
    signal: str


class MemoryBackend:
    """Publisher, ledger, results and workers in one object; nothing outlives the process."""

    def __init__(self) -> None:
        self.name = "memory"
        self.known_identity = b"memory"
        self.warnings: tuple[str, ...] = ()
        self.published: list[Launch] = []
        self.records: dict[str, bytes] = {}
        """Raw result records by task id; whoever plays the worker writes them."""
        self.revokes: list[Revoke] = []
        self.taken: set[str] = set()
        """The tasks whose messages are no longer in their queues."""
        self.lost: dict[str, datetime] = {}
        """When each worker was lost that is."""
        self.workers_view = WorkersView(workers={}, queues={}, as_of=None)
        self._keys: dict[str, bytes] = {}
        self._slots: dict[str, list[str]] = {}
        self._quotas = MemoryQuotas()
        self.rows: dict[str, Remembered] = {}
        """What is remembered, in the order of the launches."""

    async def publish(self, offers: Sequence[Offer], *, all_or_nothing: bool = False) -> list[Outcome]:
        """Record and publish the offers whose conditions hold."""
        slots = {name: list(ids) for name, ids in self._slots.items()}
        state = (self._keys.copy(), self.rows.copy(), slots, self._quotas.copy())
        count = len(self.published)
        outcomes = [self._publish(offer) for offer in offers]
        if not all_or_nothing or all(isinstance(each, Published) for each in outcomes):
            return outcomes
        self._keys, self.rows, self._slots, self._quotas = state
        del self.published[count:]
        return [Withheld() if isinstance(each, Published) else each for each in outcomes]

    def _publish(self, offer: Offer) -> Outcome:
        launch, slot = offer.launch, offer.launch.slot
        for number, claim in enumerate(offer.claims):
            if claim.key_digest in self._keys and not claim.is_forced:
                return Known(remembrance=self._keys[claim.key_digest], number=number)
        depth = sum(each.queue == launch.queue for each in self.published)
        if launch.max_queued is not None and depth >= launch.max_queued:
            return QueueFull(depth=depth)
        holders: list[str] = []
        replaced: list[str] = []
        if slot is not None:
            holders = [each for each in self._slots.get(slot.name, []) if each not in offer.finished]
            if len(holders) >= slot.limit and not (offer.may_replace and slot.on_conflict == "replace"):
                return Held(holders=tuple(holders))
            replaced = holders[: max(0, len(holders) - slot.limit + 1)]
        if (limited := self._quotas.refuse(launch.quotas, launch.launched_at)) is not None:
            return limited
        if slot is not None:
            self._slots[slot.name] = [*holders[len(replaced) :], launch.task_id]
        self._keys |= {claim.key_digest: claim.encode() for claim in offer.claims}
        for task_id in replaced:
            wish = Revocation(requested_at=launch.launched_at, terminate=True, signal="SIGTERM")
            self.rows[task_id] = replace(self.rows[task_id], revocation=wish)
        self.rows[launch.task_id] = Remembered(entry=record(launch))
        if launch.lineage is not None and (root := self.rows.get(launch.lineage.root_id)) is not None:
            self.rows[launch.lineage.root_id] = replace(root, chain=(*root.chain, launch.task_id))
        self.published.append(launch)
        return Published(replaced=tuple(replaced), rooms=self._quotas.use(launch.quotas, launch.launched_at))

    async def keep(self, claim: Claim) -> bytes | None:
        """Keep what was claimed under a key that is free."""
        known = None if claim.is_forced else self._keys.get(claim.key_digest)
        if known is None:
            self._keys[claim.key_digest] = claim.encode()
        return known

    async def find_kept(self, key_digests: Sequence[str]) -> list[bytes | None]:
        """Return what is kept under keys."""
        return [self._keys.get(each) for each in key_digests]

    async def identity(self) -> bytes:
        """Return the key of this deployment."""
        return self.known_identity

    async def find(self, task_ids: Sequence[str]) -> list[Remembered | None]:
        """Return what is remembered of tasks."""
        return [self.rows.get(task_id) for task_id in task_ids]

    async def settle(self, task_id: str, end: End) -> bool:
        """Write down how a task ended."""
        row = self.rows.get(task_id)
        if row is None or row.end is not None:
            return False
        self.rows[task_id] = replace(row, end=end)
        return True

    def forget(self, task_id: str) -> None:
        """Let a row expire."""
        del self.rows[task_id]

    async def record_revocations(self, task_ids: Sequence[str], wish: Revocation) -> None:
        """Remember that tasks shall not run."""
        for task_id in task_ids:
            row = self.rows.get(task_id)
            known = row and row.revocation
            if row is None or row.end is not None or (known and (known.confirmed_at or not wish.terminate)):
                continue
            withdrawn_at = known.withdrawn_at if known else None
            self.rows[task_id] = replace(row, revocation=replace(wish, withdrawn_at=withdrawn_at))

    def take(self, task_id: str) -> None:
        """Play a worker that takes a message."""
        self.taken.add(task_id)

    async def withdraw(self, wanted: Sequence[Withdrawal], wish: Revocation) -> dict[str, Taking]:
        """Take back the messages that no worker has taken."""
        taken: dict[str, Taking] = {}
        await self.record_revocations([each.task_id for each in wanted], wish)
        for task_id in (each.task_id for each in wanted if not each.is_started):
            row = self.rows.get(task_id)
            if row is None or row.revocation is None or task_id in self.taken:
                continue
            at = wish.requested_at
            self.rows[task_id] = replace(row, revocation=replace(row.revocation, withdrawn_at=at, confirmed_at=at))
            self.taken.add(task_id)
            taken[task_id] = "confirmed"
        return taken

    async def revoke(self, task_ids: Sequence[str], *, terminate: bool, signal: str) -> None:
        """Receive a revoke."""
        self.revokes += (Revoke(task_id=each, terminate=terminate, signal=signal) for each in task_ids)

    def view(self) -> WorkersView:
        """Return the view that was set."""
        return self.workers_view

    def find_lost_at(self, worker: str, *, started_at: datetime | None = None) -> datetime | None:  # noqa: ARG002 - no worker here comes back
        """Return since when a worker is gone, as it was set."""
        return self.lost.get(worker)

    async def check(self) -> None:
        """Answer, always."""


class MemoryResults:
    """The results side of a `MemoryBackend`."""

    def __init__(self, backend: MemoryBackend) -> None:
        self.name = "results"
        self.warnings: tuple[str, ...] = ()
        self._backend = backend

    async def find(self, task_ids: Sequence[str], *, max_bytes: int | None = None) -> list[Found | None]:
        """Return the raw records of tasks."""
        raws = [self._backend.records.get(each) for each in task_ids]
        return [None if raw is None else _cut(raw, len(raw) if max_bytes is None else max_bytes) for raw in raws]

    async def load(self, task_id: str) -> bytes | None:
        """Return a whole raw record."""
        return self._backend.records.get(task_id)

    def channel_of(self, task_id: str) -> None:
        """Tell that nobody is told of changes."""

    async def mark_asked(self, task_ids: Sequence[str]) -> None:
        """Note nothing: no worker writes here by itself."""

    async def mark_revoked(self, task_ids: Sequence[str], *, at: datetime) -> None:
        """Note nothing: nobody but the gateway reads these records."""

    async def check(self) -> None:
        """Answer, always."""


def _cut(raw: bytes, most: int) -> Found:
    return Found(head=raw[:most], tail=raw[-most:] if len(raw) > most else b"", size=len(raw))
