"""Requests that wait: counted apart from those that work, and given up when their client leaves."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final

from msgspec import Meta

from gateway.ports import Watch
from gateway.web.answers import Receive, Scope
from gateway.web.reading import find_header
from gateway.web.shedding import park
from gateway.web.site import Site
from gateway.web.visit import Visit

MAX_WAIT_S: Final = 120
WaitSeconds = Annotated[
    float, Meta(ge=0, le=MAX_WAIT_S, description="Answer at the next change, or after so many seconds.")
]
_WAIT = re.compile(r'(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?\s*(?=$|[,;])', re.IGNORECASE)


@asynccontextmanager
async def attending(task_id: str, site: Site, scope: Scope, receive: Receive) -> AsyncIterator[Watch]:
    """Watch a task for as long as the client is there.

    Raises: OverloadedError, TooManyWaitsError when too many wait already; BackendError.
    """
    park(scope)
    async with site.services.changes.watch(task_id) as watch:
        leaving = asyncio.create_task(_notice_leaving(receive, watch))
        try:
            yield watch
        finally:
            leaving.cancel()


def read_preferred_wait(visit: Visit) -> int | None:
    """Read `Prefer: wait=10`, bounded by what is possible; None where nothing is preferred.

    Source: RFC 7240: a preference that is not understood is ignored.
    """
    given = find_header(visit, b"prefer")
    found = None if given is None else _WAIT.search(given)
    return None if found is None else min(int(found[1]), MAX_WAIT_S)


async def _notice_leaving(receive: Receive, watch: Watch) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    watch.stop()
