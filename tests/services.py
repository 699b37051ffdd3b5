"""The ports over memory, as most tests of flows want them."""

from typing import Any

from gateway.backends.memory import MemoryBackend, MemoryResults
from gateway.backends.memory_changes import MemoryChanges
from gateway.backends.memory_index import MemoryHistory
from gateway.backends.no_audit import NoAudit
from gateway.flows.services import Services
from gateway.metrics.cells import Cells
from gateway.metrics.meter import Meter


def make_services(backend: MemoryBackend, **others: Any) -> Services:
    """Put a memory backend beneath every port that is not given."""
    changes = MemoryChanges(backend)
    ports: dict[str, Any] = {
        "publisher": backend,
        "ledger": backend,
        "results": MemoryResults(backend),
        "workers": backend,
        "changes": changes,
        "log": changes,
        "history": MemoryHistory(backend),
        "feed": changes.feed,
        "tally": Meter(Cells()),
        "audit": NoAudit(),
    }
    return Services(**ports | others)
