"""The catalog: every task type by its key, with the digest of the file that made it."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from msgspec import Struct, field

from gateway.access.rights import Rights
from gateway.catalog.task_type import TaskType
from gateway.config.rates import Rate
from gateway.errors import UnknownTaskTypeError

NEAR = 0.8
"""How alike two keys are, from 0 to 1, for one to be named as the near miss of the other."""


class Catalog(Struct, frozen=True, kw_only=True):
    """The compiled set of task types, in the order of the file."""

    task_types: Mapping[str, TaskType]
    digest: str
    """Hash of what was declared; two replicas with the same digest serve the same catalog."""
    generation: int
    """1 for the catalog that the process started with."""
    longest_keep_s: int = 0
    """The longest that any of its launches is remembered."""
    rate_limit: Rate | None = None
    """How often a caller may launch, whatever it is."""
    rights: Rights = Rights()
    """What the file gives to roles."""
    drafts: dict[str, Any] = field(default_factory=dict)
    """What was worked out once of a task type, and serves all its launches for as long as the catalog does."""

    def find(self, task_type: str) -> TaskType:
        """Return a task type.

        Raises: UnknownTaskTypeError with the near misses.
        """
        found = self.task_types.get(task_type)
        if found is None:
            near = get_close_matches(task_type[:128], self.task_types, n=3, cutoff=NEAR)
            raise UnknownTaskTypeError(task_type, near=tuple(near))
        return found
