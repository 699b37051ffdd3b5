"""The routes that launch, below the framework: they are the hot ones, and routing and conversion there cost as much as all else.

What comes in: ASGI. What goes out: answers for every path under `/tasks/launch`; all other paths are the framework's.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from msgspec import Struct

from gateway.catalog.view import View
from gateway.errors import BackendError, GatewayError, TooManyWaitsError
from gateway.flows.launching import Accepted, Key, launch, launch_batch, rehearse
from gateway.flows.waiting import wait_for_change
from gateway.killpoints import reach
from gateway.launch.batch import read_batch_body
from gateway.launch.idempotency import read_key
from gateway.launch.launch import Receipt
from gateway.launch.options import LaunchOptions
from gateway.launch.prepare import Wish
from gateway.launch.request import read_launch_body
from gateway.schema import parse_body
from gateway.status.interpreting import is_final
from gateway.status.status import TaskStatus
from gateway.web.answers import Answer, Receive, Scope, Send, send_answer, write_json
from gateway.web.attending import attending, read_preferred_wait
from gateway.web.auditing import note_launch, note_refused_item
from gateway.web.gate import choose_view
from gateway.web.problems import Problem, answer_error, describe_error, refuse_method, write_allowances
from gateway.web.reading import NoQuery, find_header, read_body, read_query, read_query_members
from gateway.web.site import Site, find_in_path
from gateway.web.tracing import publishing
from gateway.web.visit import WAITING, Visit, find_visit

KEY_HEADER = "Idempotency-Key"
REPLAYED: Final = {"Idempotency-Replayed": "true"}
OPTION_NAMES = frozenset(LaunchOptions.__struct_fields__)
OK, ACCEPTED = HTTPStatus.OK, HTTPStatus.ACCEPTED
"""Of an enumeration each look-up is a call."""
_KEY_HEADER = KEY_HEADER.lower().encode()

Handler = Callable[[Visit, Scope, Receive], Awaitable[Answer]]


class LaunchQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of the launch routes."""

    dry_run: bool = False


class BatchItem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one item of a batch: a receipt or a problem."""

    receipt: Receipt | None = None
    problem: Problem | None = None


class BatchAnswer(Struct, frozen=True, kw_only=True):
    """What became of a batch, in the order of its items."""

    batch_id: str
    """Finds its tasks again: `/tasks/history?batch=`."""
    items: list[BatchItem]


class LaunchDoor:
    """Answers the launch routes of a catalog; lets every other request through."""

    def __init__(self, site: Site, behind: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._site = site
        self.behind = behind
        self._path = f"{site.prefix}/tasks/launch"
        self._typed = f"{self._path}/{{task_type}}"
        one = self._launch_one, self._typed
        self.routes: dict[str, tuple[Handler, str]] = {
            self._path: (self._launch_any, self._path),
            f"{self._path}/batch": (self._launch_batch, f"{self._path}/batch"),
            **{f"{self._path}/{task_type}": one for task_type in site.catalog.task_types},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path: str = scope["path"]
        found = self.routes.get(path) or (self._find(path.rstrip("/")) if path.startswith(self._path) else None)
        if found is None:
            await self.behind(scope, receive, send)
            return
        reach("received")
        visit = find_visit(scope)
        handler, visit.route = found
        try:
            is_post = scope["method"] == "POST"
            answer = await handler(visit, scope, receive) if is_post else refuse_method(scope, allow="POST")
        except Exception as error:  # noqa: BLE001 - as at the framework's door: a bug becomes an opaque 500
            answer = answer_error(error, scope=scope)
        reach("before_answer")
        await send_answer(answer, scope, send)

    def _find(self, path: str) -> tuple[Handler, str] | None:
        found = self.routes.get(path)
        if found is None and path.startswith(f"{self._path}/") and "/" not in path[len(self._path) + 1 :]:
            return self._launch_one, self._typed  # which says that there is no such task type, and what is like it
        return found

    async def _launch_any(self, visit: Visit, scope: Scope, receive: Receive) -> Answer:
        query = read_query(scope, LaunchQuery)
        body = read_launch_body(parse_body(await read_body(visit, receive, bounds=self._site.bounds)))
        wish = Wish(
            task_type=body.task_type,
            params=body.params,
            options=body.options,
            params_at="/params",
            options_at="/options",
        )
        return await self._launch(wish, visit, scope, receive, is_dry_run=query.dry_run, status=OK)

    async def _launch_one(self, visit: Visit, scope: Scope, receive: Receive) -> Answer:
        task_type = find_in_path(
            choose_view(visit, self._site), scope["path"].rstrip("/")[len(self._path) + 1 :]
        ).task_type
        options, is_dry_run = _read_options(scope)
        wish = Wish(
            task_type=task_type,
            body=await read_body(visit, receive, bounds=self._site.bounds),
            options=options,
            are_options_text=True,
            options_at="/query",
        )
        return await self._launch(wish, visit, scope, receive, is_dry_run=is_dry_run, status=ACCEPTED)

    async def _launch_batch(self, visit: Visit, scope: Scope, receive: Receive) -> Answer:
        read_query(scope, NoQuery)
        site = self._site
        batch = read_batch_body(parse_body(await read_body(visit, receive, bounds=self._site.bounds)))
        with publishing(visit) as trace:
            batch_id, outcomes = await launch_batch(
                batch, choose_view(visit, site), site.services, prefix=site.prefix, trace=trace
            )
        items = [_show_item(each, visit, scope) for each in outcomes]
        return write_json(BatchAnswer(batch_id=batch_id, items=items))

    async def _launch(
        self, wish: Wish, visit: Visit, scope: Scope, receive: Receive, *, is_dry_run: bool, status: HTTPStatus
    ) -> Answer:
        site = self._site
        view = choose_view(visit, site)
        if wish.task_type in view.catalog.task_types:
            visit.task_type = wish.task_type
        key = read_caller_key(visit, view) if _KEY_HEADER in visit.fields else None
        if is_dry_run:
            return write_json(rehearse(wish, view, site.services))
        with publishing(visit) as trace:
            accepted = await launch(wish, view, site.services, prefix=site.prefix, key=key, trace=trace)
        visit.task_id = accepted.receipt.task_id
        note_launch(scope, visit, "launch", accepted)
        receipt, headers = accepted.receipt, describe_accepted(accepted)
        if status is ACCEPTED:
            headers["Location"] = receipt.status_url
        wait_s = read_preferred_wait(visit) if b"prefer" in visit.fields else None
        if wait_s is None or not view.may("read", receipt.task_type):
            return write_json(receipt, status=status, headers=headers)
        visit.route += WAITING
        headers["Preference-Applied"] = f"wait={wait_s}"
        ended = await self._wait(receipt.task_id, wait_s, view, scope, receive)
        if ended is None:
            return write_json(receipt, status=HTTPStatus.ACCEPTED, headers=headers)
        return write_json(ended, headers=headers)

    async def _wait(self, task_id: str, wait_s: int, view: View, scope: Scope, receive: Receive) -> TaskStatus | None:
        """Return the final status of a task that ends in time; whatever fails now, the launch is a fact."""
        site = self._site
        with suppress(BackendError, TooManyWaitsError):
            async with attending(task_id, site, scope, receive) as watch:
                status = await wait_for_change(
                    task_id, view, watch, site.services, prefix=site.prefix, wait_s=wait_s, is_end_wanted=True
                )
            return status if is_final(status) else None
        return None


def read_caller_key(visit: Visit, view: View) -> Key | None:
    """Read the Idempotency-Key of a request, if it has one; it is its caller's own.

    Raises: MalformedBodyError.
    """
    given = find_header(visit, _KEY_HEADER)
    return None if given is None else Key(key=read_key(given), caller=view.caller.id)


def describe_accepted(accepted: Accepted) -> dict[str, str]:
    """Say in header fields what a receipt does not: whether it was given before, and what is left of the caller's quotas."""
    if accepted.is_replay:
        return dict(REPLAYED)
    return write_allowances(accepted.allowances) if accepted.allowances else {}


def _read_options(scope: Scope) -> tuple[dict[str, Any], bool]:
    """Read the query of a launch by path: the options, and whether it is a dry run."""
    if not scope["query_string"]:
        return {}, False
    members = read_query_members(scope)
    query = read_query(scope, LaunchQuery, but=OPTION_NAMES)
    return {name: members[name] for name in members.keys() & OPTION_NAMES}, query.dry_run


def _show_item(outcome: Accepted | GatewayError, visit: Visit, scope: Scope) -> BatchItem:
    if isinstance(outcome, Accepted):
        note_launch(scope, visit, "launch", outcome)
        return BatchItem(receipt=outcome.receipt)
    note_refused_item(scope, outcome.code)
    return BatchItem(problem=describe_error(outcome, instance=scope["path"]))
