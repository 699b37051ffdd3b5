"""The routes that launch: one for every task type, one for any task type by name."""

from http import HTTPStatus
from typing import Any

from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from gateway import flows
from gateway.errors import GatewayError
from gateway.launch.batch import read_batch_body
from gateway.launch.idempotency import read_key
from gateway.launch.launch import Launch, Receipt, write_receipt
from gateway.launch.options import LaunchOptions
from gateway.launch.prepare import Wish
from gateway.launch.request import read_launch_body
from gateway.web.problems import Problem, describe_error
from gateway.web.reading import read_bytes, read_json, read_query, read_query_members
from gateway.web.site import Site, answer, find_in_path

KEY_HEADER = "Idempotency-Key"
ANYBODY = ""
"""The caller, where nothing tells callers apart."""
OPTION_NAMES = frozenset(LaunchOptions.__struct_fields__)


class LaunchQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of the launch routes."""

    dry_run: bool = False


class NoQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of routes that take none."""


class BatchItem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one item of a batch: a receipt or a problem."""

    receipt: Receipt | None = None
    problem: Problem | None = None


class BatchAnswer(Struct, frozen=True, kw_only=True):
    """What became of a batch, in the order of its items."""

    items: list[BatchItem]


def make_launch_handlers(site: Site) -> list[HTTPRouteHandler]:
    """Make the launch routes of a catalog."""
    return [
        _make_generic_handler(site),
        _make_batch_handler(site),
        _make_fallback_handler(site),
        *(_make_typed_handler(site, name) for name in site.catalog.task_types),
    ]


def _make_generic_handler(site: Site) -> HTTPRouteHandler:
    @post(f"{site.prefix}/tasks/launch", status_code=200)
    async def launch(request: Request[Any, Any, Any]) -> Response[bytes]:
        query = read_query(request, LaunchQuery)
        body = read_launch_body(await read_json(request))
        wish = Wish(
            task_type=body.task_type,
            params=body.params,
            options=body.options,
            params_at="/params",
            options_at="/options",
        )
        return await _launch(site, wish, request, is_dry_run=query.dry_run, status=200)

    return launch


def _make_batch_handler(site: Site) -> HTTPRouteHandler:
    path = f"{site.prefix}/tasks/launch/batch"

    @post(path, status_code=200)
    async def launch_batch(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, NoQuery)
        batch = read_batch_body(await read_json(request))
        outcomes = await flows.launch_batch(batch, site.catalog, site.services)
        return answer(BatchAnswer(items=[_show_item(site, each, instance=path) for each in outcomes]))

    return launch_batch


def _show_item(site: Site, outcome: Launch | GatewayError, *, instance: str) -> BatchItem:
    if isinstance(outcome, Launch):
        return BatchItem(receipt=write_receipt(outcome, prefix=site.prefix))
    return BatchItem(problem=describe_error(outcome, instance=instance))


def _make_typed_handler(site: Site, task_type: str) -> HTTPRouteHandler:
    @post(f"{site.prefix}/tasks/launch/{task_type}", status_code=202, name=f"launch {task_type}")
    async def launch_type(request: Request[Any, Any, Any]) -> Response[bytes]:
        return await _launch_by_path(site, task_type, request)

    return launch_type


def _make_fallback_handler(site: Site) -> HTTPRouteHandler:
    @post(f"{site.prefix}/tasks/launch/{{task_type:str}}", status_code=202)
    async def launch_unknown(request: Request[Any, Any, Any], task_type: FromPath[str]) -> Response[bytes]:
        return await _launch_by_path(site, task_type, request)

    return launch_unknown


async def _launch_by_path(site: Site, task_type: str, request: Request[Any, Any, Any]) -> Response[bytes]:
    find_in_path(site, task_type)
    members = read_query_members(request)
    options = {name: members[name] for name in members.keys() & OPTION_NAMES}
    query = read_query(request, LaunchQuery, but=OPTION_NAMES)
    wish = Wish(
        task_type=task_type,
        body=await read_bytes(request),
        options=options,
        are_options_text=True,
        options_at="/query",
    )
    return await _launch(site, wish, request, is_dry_run=query.dry_run, status=202)


async def _launch(
    site: Site, wish: Wish, request: Request[Any, Any, Any], *, is_dry_run: bool, status: int
) -> Response[bytes]:
    if is_dry_run:
        return answer(flows.rehearse(wish, site.catalog, site.services))
    key = request.headers.get(KEY_HEADER)
    headers: dict[str, str] = {}
    if key is None:
        receipt = write_receipt(await flows.launch(wish, site.catalog, site.services), prefix=site.prefix)
    else:
        receipt, is_replay = await flows.launch_once(
            wish, site.catalog, site.services, key=read_key(key), caller=ANYBODY, prefix=site.prefix
        )
        headers |= {"Idempotency-Replayed": "true"} if is_replay else {}
    headers |= {"Location": receipt.status_url} if status == HTTPStatus.ACCEPTED else {}
    return answer(receipt, status=status, headers=headers)
