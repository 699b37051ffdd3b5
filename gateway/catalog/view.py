"""What one caller sees: who they are, the task types that they may know of, what they may do.

What comes in: a catalog and a caller. What goes out: a view, which the flows take in place of the catalog: what is not in it
is, for its caller, not there.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.access.caller import ANYBODY, NOBODY, Caller
from gateway.access.rights import NOTHING, WHOLE, Grant, Verb
from gateway.catalog.catalog import Catalog
from gateway.errors import ForbiddenError

MOST_VIEWS: Final = 256
"""How many sets of roles are remembered; there are hardly ever more than a few."""


class View(Struct, frozen=True, kw_only=True):
    """What one caller sees of a catalog."""

    caller: Caller
    catalog: Catalog
    """Without the task types that may not be seen."""
    grant: Grant
    reads_all: bool
    """True for whoever may read the tasks of every task type that there is."""

    def may(self, verb: Verb, task_type: str) -> bool:
        """Tell whether something may be done with a task type, which the catalog may no longer have."""
        return self.grant.may(verb, task_type)

    def require(self, verb: Verb, task_type: str) -> None:
        """Let pass what may be done.

        Raises: UnknownTaskTypeError for what may not even be seen; ForbiddenError.
        """
        if not self.grant.may(verb, task_type):
            self.catalog.find(task_type)
            raise ForbiddenError(f"none of your roles may {verb.replace('_', ' ')} {task_type}")


class Views:
    """The views of a catalog, made once for each set of roles."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._seen: dict[frozenset[str], View] = {}

    def find(self, caller: Caller) -> View:
        """Return what a caller sees."""
        seen = self._seen.get(caller.roles)
        if seen is None:
            seen = self._make(caller)
        return seen if seen.caller is caller else replace(seen, caller=caller)

    def _make(self, caller: Caller) -> View:
        if len(self._seen) >= MOST_VIEWS:
            self._seen.clear()
        view = make_view(self._catalog, caller)
        self._seen[caller.roles] = view
        return view


def make_view(catalog: Catalog, caller: Caller) -> View:
    """Make what a caller sees of a catalog."""
    grant = catalog.rights.find(caller.roles)
    if grant.is_whole:
        return View(caller=caller, catalog=catalog, grant=grant, reads_all=True)
    seen = grant.task_types["see"]
    task_types = {key: each for key, each in catalog.task_types.items() if key in seen}
    reads_all = catalog.task_types.keys() <= grant.task_types["read"]
    return View(caller=caller, catalog=replace(catalog, task_types=task_types), grant=grant, reads_all=reads_all)


def see_all(catalog: Catalog) -> View:
    """Return what everybody sees where there is no authentication."""
    return View(caller=ANYBODY, catalog=catalog, grant=WHOLE, reads_all=True)


def see_nothing(catalog: Catalog) -> View:
    """Return what is seen by whoever is not known."""
    return View(caller=NOBODY, catalog=replace(catalog, task_types={}), grant=NOTHING, reads_all=False)
