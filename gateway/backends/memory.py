"""All ports in memory: for tests and for trying a tasks.yaml without a broker; kept to the same contract."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from gateway.launch.idempotency import Claim
from gateway.launch.launch import Launch, record
from gateway.launch.offer import Held, Known, Offer, Outcome, Published, QueueFull, Withheld
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
        self.warnings: tuple[str, ...] = ()
        self.published: list[Launch] = []
        self.records: dict[str, bytes] = {}
        """Raw result records by task id; whoever plays the worker writes them."""
        self.revokes: list[Revoke] = []
        self.lost: dict[str, datetime] = {}
        """When each worker was lost that is."""
        self.workers_view = WorkersView(workers={}, queues={}, as_of=None)
        self._keys: dict[str, bytes] = {}
        self._slots: dict[str, list[str]] = {}
        self.rows: dict[str, Remembered] = {}
        """What is remembered, in the order of the launches."""

    async def publish(self, offers: Sequence[Offer], *, all_or_nothing: bool = False) -> list[Outcome]:
        """Record and publish the offers whose conditions hold."""
        state = (self._keys.copy(), self.rows.copy(), {name: list(ids) for name, ids in self._slots.items()})
        count = len(self.published)
        outcomes = [self._publish(offer) for offer in offers]
        if not all_or_nothing or all(isinstance(each, Published) for each in outcomes):
            return outcomes
        self._keys, self.rows, self._slots = state
        del self.published[count:]
        return [Withheld() if isinstance(each, Published) else each for each in outcomes]

    def _publish(self, offer: Offer) -> Outcome:
        launch, claim, slot = offer.launch, offer.claim, offer.launch.slot
        if claim is not None and claim.key_digest in self._keys:
            return Known(remembrance=self._keys[claim.key_digest])
        depth = sum(each.queue == launch.queue for each in self.published)
        if launch.max_queued is not None and depth >= launch.max_queued:
            return QueueFull(depth=depth)
        replaced: list[str] = []
        if slot is not None:
            holders = [each for each in self._slots.get(slot.name, []) if each not in offer.finished]
            if len(holders) >= slot.limit and not (offer.may_replace and slot.on_conflict == "replace"):
                return Held(holders=tuple(holders))
            replaced = holders[: max(0, len(holders) - slot.limit + 1)]
            self._slots[slot.name] = [*holders[len(replaced) :], launch.task_id]
        if claim is not None:
            self._keys[claim.key_digest] = claim.encode()
        for task_id in replaced:
            wish = Revocation(requested_at=launch.launched_at, terminate=True, signal="SIGTERM")
            self.rows[task_id] = replace(self.rows[task_id], revocation=wish)
        self.rows[launch.task_id] = Remembered(entry=record(launch))
        if launch.lineage is not None and (root := self.rows.get(launch.lineage.root_id)) is not None:
            self.rows[launch.lineage.root_id] = replace(root, chain=(*root.chain, launch.task_id))
        self.published.append(launch)
        return Published(replaced=tuple(replaced))

    async def keep(self, claim: Claim) -> bytes | None:
        """Keep what was claimed under a key that is free."""
        known = self._keys.get(claim.key_digest)
        if known is None:
            self._keys[claim.key_digest] = claim.encode()
        return known

    async def identity(self) -> bytes:
        """Return the key of this deployment."""
        return b"memory"

    async def find(self, task_ids: Sequence[str]) -> list[Remembered | None]:
        """Return what is remembered of tasks."""
        return [self.rows.get(task_id) for task_id in task_ids]

    async def settle(self, task_id: str, end: End) -> None:
        """Write down how a task ended."""
        row = self.rows.get(task_id)
        if row is not None and row.end is None:
            self.rows[task_id] = replace(row, end=end)

    def forget(self, task_id: str) -> None:
        """Let a row expire."""
        del self.rows[task_id]

    async def record_revocation(self, task_id: str, revocation: Revocation, *, keep_s: int) -> None:  # noqa: ARG002 - nothing expires here
        """Remember that a revoke was asked for."""
        row = self.rows[task_id]
        if row.revocation is None or revocation.terminate:
            self.rows[task_id] = replace(row, revocation=revocation)

    async def revoke(self, task_id: str, *, terminate: bool, signal: str) -> None:
        """Receive a revoke."""
        self.revokes.append(Revoke(task_id=task_id, terminate=terminate, signal=signal))

    def view(self) -> WorkersView:
        """Return the view that was set."""
        return self.workers_view

    def find_lost_at(self, worker: str) -> datetime | None:
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

    async def check(self) -> None:
        """Answer, always."""


def _cut(raw: bytes, most: int) -> Found:
    return Found(head=raw[:most], tail=raw[-most:] if len(raw) > most else b"", size=len(raw))
