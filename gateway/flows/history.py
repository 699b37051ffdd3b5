"""Finding tasks again: page by page, each of bounded cost however much there is.

What comes in: filters and perhaps a cursor. What goes out: tasks, the newest first, and where to go on. What is looked at for
a page is bounded, not what it holds: a page may be short, or empty, and still have another one behind it.
"""

from typing import Final

from msgspec import Struct

from gateway.access.rights import Verb
from gateway.catalog.view import View
from gateway.flows.looking import Look, look
from gateway.flows.services import Services
from gateway.history.cursor import read_cursor, write_cursor
from gateway.history.filters import Filters, is_in_window, is_wanted, make_window
from gateway.history.page import HistoryItem, HistoryPage, show_item
from gateway.history.sources import Source, choose_source, list_sources, merge_places
from gateway.status.interpreting import Witness, interpret
from gateway.status.withholding import withhold

MOST_EXAMINED: Final = 1000
"""Tasks that are looked at for one page."""
FIRST: Final = 50
AT_A_TIME: Final = 200
PASSED_BY: Final = 10
"""So many tasks that are passed by for their id alone cost what one costs that is looked at."""


class Step(Struct, frozen=True):
    """Some tasks of a walk."""

    found: list[tuple[Look, str]]
    """Those that are wanted, each with its position."""
    position: str
    """That of the last one that was examined, wanted or not."""
    cost: int
    is_last: bool


class Walk:
    """A walk over all tasks that are wanted, and with which the caller may do something, from a position on."""

    def __init__(
        self, filters: Filters, source: Source, position: str, services: Services, *, view: View, verb: Verb
    ) -> None:
        self.source = source
        self.position = position
        """Where the next step begins."""
        self._filters = filters
        self._window = make_window(filters)
        self._services = services
        self._view = view
        self._verb = verb

    async def step(self, count: int) -> Step:
        """Look at the next tasks, at most so many.

        Raises: BackendError.
        """
        task_type = self._filters.task_type
        if task_type is not None and not self._view.may(self._verb, task_type):
            return Step([], "", 1, is_last=True)  # as of a task type that never was: not even its number is told
        found = await self._services.history.walk(
            self.source.indexes, before=self.position, count=count, window=self._window
        )
        places, is_all = merge_places(found, count=count)
        near = [each for each in places if is_in_window(self._window, each.task_id)]
        looks = await look([each.task_id for each in near], self._services)
        self.position = places[-1].position if places else self.position
        pairs = zip(near, looks, strict=True)
        wanted = [(looked, place.position) for place, looked in pairs if looked and self._is_wanted(looked)]
        cost = max(1, len(near) + (len(places) - len(near)) // PASSED_BY)
        return Step(wanted, self.position, cost, is_all)

    def _is_wanted(self, looked: Look) -> bool:
        entry = looked.remembered.entry
        return self._view.may(self._verb, entry.task_type) and is_wanted(self._filters, entry, looked.status)


async def begin(
    filters: Filters, view: View, services: Services, *, verb: Verb, cursor: str | None, pointer: str
) -> Walk:
    """Begin a walk, or go on with one; `pointer` is where the cursor stands in the request.

    Raises: RefusedParamsError for a cursor that is none, or not of these filters; BackendError.
    """
    sources = list_sources(filters, root_id=await _find_root(filters.retry_of, services))
    if cursor is not None:
        source, position = read_cursor(cursor, sources, filters, pointer=pointer)
        return Walk(filters, source, position, services, view=view, verb=verb)
    if len(sources) == 1:
        return Walk(filters, sources[0], "", services, view=view, verb=verb)
    sizes = await services.history.measure([index for source in sources for index in source.indexes])
    return Walk(filters, choose_source(sources, sizes), "", services, view=view, verb=verb)


async def browse(
    filters: Filters, view: View, services: Services, *, cursor: str | None, limit: int, prefix: str
) -> HistoryPage:
    """Find one page of tasks that the caller may read; `prefix` is the path before `/tasks`.

    Raises: RefusedParamsError for a bad cursor; BackendError.
    """
    walk = await begin(filters, view, services, verb="read", cursor=cursor, pointer="/query/cursor")
    items: list[Look] = []
    examined, position, count = 0, None, max(limit, FIRST)
    while len(items) < limit and examined < MOST_EXAMINED:
        step = await walk.step(min(count, MOST_EXAMINED - examined))
        wanted = step.found[: limit - len(items)]
        items += (looked for looked, _ in wanted)
        is_cut = len(wanted) < len(step.found)
        position = wanted[-1][1] if is_cut else step.position
        examined += step.cost
        count = AT_A_TIME  # what is rare among the first is rare among the next ones
        if step.is_last and not is_cut:
            position = None
            break
    return HistoryPage(
        items=tuple(_show(each, view, services, prefix) for each in items),
        next_cursor=None if position is None else write_cursor(walk.source, position, filters),
    )


def _show(looked: Look, view: View, services: Services, prefix: str) -> HistoryItem:
    status = interpret(looked.remembered, looked.record, Witness(now=services.clock()))
    is_open = view.may("read_result", status.task_type)
    return show_item(status if is_open else withhold(status), prefix=prefix)


async def _find_root(task_id: str | None, services: Services) -> str | None:
    """Find where the chain of a task begins; of one that is no longer remembered, with itself."""
    if task_id is None:
        return None
    [remembered] = await services.ledger.find([task_id])
    lineage = None if remembered is None else remembered.entry.lineage
    return task_id if lineage is None else lineage.root_id
