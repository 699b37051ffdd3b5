"""The routes of tasks already launched: status, revoke, retry."""

from typing import Any, Literal

from litestar import Request, Response, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from gateway.flows.following import follow as follow_task
from gateway.flows.following import load_result
from gateway.flows.retrying import retry as retry_task
from gateway.flows.revoking import Stop
from gateway.flows.revoking import revoke as revoke_task
from gateway.launch.request import read_retry_body
from gateway.launch.task_id import is_task_id
from gateway.web.auditing import note, note_launch
from gateway.web.door import FollowQuery
from gateway.web.gate import KNOWN, find_view
from gateway.web.launching import describe_accepted, read_caller_key
from gateway.web.reading import NoQuery, read_json, read_query
from gateway.web.site import Site, answer, in_time
from gateway.web.tracing import publishing
from gateway.web.visit import find_visit


class RevokeQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of a revoke."""

    terminate: bool = False
    signal: Literal["SIGTERM", "SIGKILL", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGHUP"] = "SIGTERM"


def make_follow_handlers(site: Site) -> list[HTTPRouteHandler]:
    """Make the routes of single tasks."""
    path = f"{site.prefix}/tasks/{{task_id:str}}"

    @get(path, right=KNOWN)
    async def follow(request: Request[Any, Any, Any], task_id: FromPath[str]) -> Response[bytes]:
        _note(task_id, request)
        read_query(request.scope, FollowQuery)
        view = find_view(request.scope, site)
        return answer(await in_time(follow_task(task_id, view, site.services, prefix=site.prefix), site))

    @get(f"{path}/result", right=KNOWN)
    async def show_result(request: Request[Any, Any, Any], task_id: FromPath[str]) -> Response[bytes]:
        _note(task_id, request)
        read_query(request.scope, NoQuery)
        view = find_view(request.scope, site)
        return answer(await in_time(load_result(task_id, view, site.services), site))

    @delete(path, status_code=200, right=KNOWN)
    async def revoke(request: Request[Any, Any, Any], task_id: FromPath[str]) -> Response[bytes]:
        _note(task_id, request)
        query = read_query(request.scope, RevokeQuery)
        stop = Stop(terminate=query.terminate, signal=query.signal)
        revoking = revoke_task(task_id, find_view(request.scope, site), site.services, prefix=site.prefix, stop=stop)
        revoked = await in_time(revoking, site)
        note(request.scope, "revoke", task_id=task_id)
        return answer(revoked)

    @post(f"{path}/retry", status_code=200, right=KNOWN)
    async def retry(request: Request[Any, Any, Any], task_id: FromPath[str]) -> Response[bytes]:
        _note(task_id, request)
        read_query(request.scope, NoQuery)
        body = read_retry_body(await read_json(request, bounds=site.bounds, empty={}))
        view, visit = find_view(request.scope, site), find_visit(request.scope)
        key = read_caller_key(visit, view)
        with publishing(visit) as trace:
            accepted = await retry_task(task_id, body, view, site.services, prefix=site.prefix, key=key, trace=trace)
        _note(accepted.receipt.task_id, request)
        note_launch(request.scope, visit, "retry", accepted)
        return answer(accepted.receipt, headers=describe_accepted(accepted))

    return [follow, show_result, revoke, retry]


def _note(task_id: str, request: Request[Any, Any, Any]) -> None:
    """Note which task a request is about, for whoever observes it; a path may say anything."""
    if is_task_id(task_id):
        find_visit(request.scope).task_id = task_id
