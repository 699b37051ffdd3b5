"""All ports in memory: for tests and for trying a tasks.yaml without a broker; kept to the same contract."""

from msgspec import Struct

from gateway.launch.idempotency import Claim
from gateway.launch.launch import Launch, record
from gateway.ports import Remembered, Revocation, WorkersView


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
        self.workers_view = WorkersView(workers={}, queues={}, as_of=None)
        self._keys: dict[str, bytes] = {}
        self._rows: dict[str, Remembered] = {}

    async def publish(self, launch: Launch, claim: Claim | None = None) -> bytes | None:
        """Record and publish, if the claimed key is free."""
        if claim is not None:
            known = self._keys.setdefault(claim.key_digest, claim.encode())
            if known != claim.encode():
                return known
        self._rows[launch.task_id] = Remembered(entry=record(launch))
        self.published.append(launch)
        return None

    async def identity(self) -> bytes:
        """Return the key of this deployment."""
        return b"memory"

    async def find(self, task_id: str) -> Remembered | None:
        """Return what is remembered of a task."""
        return self._rows.get(task_id)

    def forget(self, task_id: str) -> None:
        """Let a row expire."""
        del self._rows[task_id]

    async def record_revocation(self, task_id: str, revocation: Revocation, *, keep_s: int) -> None:  # noqa: ARG002 - nothing expires here
        """Remember that a revoke was asked for."""
        row = self._rows[task_id]
        if row.revocation is None or revocation.terminate:
            self._rows[task_id] = Remembered(entry=row.entry, revocation=revocation)

    async def revoke(self, task_id: str, *, terminate: bool, signal: str) -> None:
        """Receive a revoke."""
        self.revokes.append(Revoke(task_id=task_id, terminate=terminate, signal=signal))

    def view(self) -> WorkersView:
        """Return the view that was set."""
        return self.workers_view

    async def check(self) -> None:
        """Answer, always."""


class MemoryResults:
    """The results side of a `MemoryBackend`."""

    def __init__(self, backend: MemoryBackend) -> None:
        self.name = "results"
        self.warnings: tuple[str, ...] = ()
        self._backend = backend

    async def find(self, task_id: str) -> bytes | None:
        """Return the raw record of a task."""
        return self._backend.records.get(task_id)

    async def check(self) -> None:
        """Answer, always."""
