"""The routes by which tasks are followed, below the framework like those that launch: everybody polls them.

What comes in: ASGI. What goes out: answers and event streams for `GET /tasks/{task_id}`, its `/events` and the `/events` of
all tasks; all other requests are somebody else's.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from gateway.flows.following import follow
from gateway.flows.waiting import wait_for_change
from gateway.launch.task_id import is_task_id
from gateway.web.answers import Answer, Receive, Scope, Send, send_answer, write_json
from gateway.web.attending import WaitSeconds, attending
from gateway.web.gate import choose_view
from gateway.web.problems import answer_error, refuse_method
from gateway.web.reading import read_query
from gateway.web.site import Site
from gateway.web.streaming import stream_feed, stream_task
from gateway.web.visit import WAITING, Visit, find_visit

ID_LENGTH: Final = 36


class FollowQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of a task's status."""

    wait_s: WaitSeconds = 0


class TaskDoor:
    """Answers those who follow a task; lets every other request through."""

    def __init__(self, site: Site, behind: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._site = site
        self.behind = behind
        self._head = f"{site.prefix}/tasks/"
        self._id = slice(len(self._head), len(self._head) + ID_LENGTH)
        self._rest = slice(len(self._head) + ID_LENGTH, None)
        self._feed = f"{self._head}events"
        self.paths = (f"{self._head}{{task_id}}", f"{self._head}{{task_id}}/events", self._feed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path: str = scope["path"]
        task_id, rest = path[self._id], path[self._rest]
        is_get, is_task = scope["method"] == "GET", path.startswith(self._head) and is_task_id(task_id)
        if is_get and is_task and rest in {"", "/"}:
            visit = _note(scope, self.paths[0], task_id)
            await self._answer_status(task_id, visit, scope, receive, send)
        elif is_task and rest in {"/events", "/events/"}:
            _note(scope, self.paths[1], task_id)
            await (stream_task(task_id, self._site, scope, receive, send) if is_get else _refuse(scope, send))
        elif path.rstrip("/") == self._feed:
            _note(scope, self._feed)
            await (stream_feed(self._site, scope, receive, send) if is_get else _refuse(scope, send))
        else:
            await self.behind(scope, receive, send)

    async def _answer_status(self, task_id: str, visit: Visit, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._tell(task_id, visit, scope, receive)
        except Exception as error:  # noqa: BLE001 - as at the framework's door: a bug becomes an opaque 500
            answer = answer_error(error, scope=scope)
        await send_answer(answer, scope, send)

    async def _tell(self, task_id: str, visit: Visit, scope: Scope, receive: Receive) -> Answer:
        site = self._site
        view = choose_view(visit, site)
        wait_s = read_query(scope, FollowQuery).wait_s if scope["query_string"] else 0
        if wait_s:
            visit.route += WAITING
            async with attending(task_id, site, scope, receive) as watch:
                return write_json(
                    await wait_for_change(task_id, view, watch, site.services, prefix=site.prefix, wait_s=wait_s)
                )
        return write_json(await follow(task_id, view, site.services, prefix=site.prefix))


def _note(scope: Scope, route: str, task_id: str | None = None) -> Visit:
    visit = find_visit(scope)
    visit.route, visit.task_id = route, task_id
    return visit


async def _refuse(scope: Scope, send: Send) -> None:
    await send_answer(refuse_method(scope, allow="GET"), scope, send)
