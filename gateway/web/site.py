"""What every handler works with, and how it answers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2b
from typing import Final, TypeVar

from litestar import Response
from msgspec import Struct

from gateway.catalog.catalog import Catalog
from gateway.catalog.task_type import TaskType
from gateway.catalog.view import View
from gateway.errors import BackendError, UnknownTaskTypeError
from gateway.flows.probing import Prober
from gateway.flows.services import Services
from gateway.ports import Config
from gateway.web.answers import make_response, write_json
from gateway.web.problems import UnknownPathError
from gateway.web.reading import Bounds

PRIVATE: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization, X-API-Key"}
"""Said of what differs by caller and may be kept: by its caller alone, and asked for again."""
T = TypeVar("T")


class Site(Struct, frozen=True, kw_only=True):
    """One catalog being served; a reload makes another Site and leaves this one to its requests."""

    catalog: Catalog
    view: View
    """What a request sees whose caller nobody has looked at: all without authentication, nothing with it."""
    is_guarded: bool = False
    """True with authentication."""
    services: Services
    prober: Prober
    config: Config
    prefix: str
    bounds: Bounds
    deadline_s: float
    write_metrics: Callable[[str], tuple[bytes, str]]
    """Takes what a client accepts; may be called from any thread."""
    is_stopping: Callable[[], bool]
    """True from the wish that the process stop to its end."""


def find_in_path(view: View, task_type: str) -> TaskType:
    """Return the task type that a path names.

    Raises: UnknownPathError, also for one that the caller may not see.
    """
    try:
        return view.catalog.find(task_type)
    except UnknownTaskTypeError as error:
        raise UnknownPathError(task_type, near=error.near) from error


async def in_time(flow: Awaitable[T], site: Site) -> T:
    """Bound a flow of several waits as one.

    Raises: BackendError when the deadline has passed.
    """
    try:
        async with asyncio.timeout(site.deadline_s):
            return await flow
    except TimeoutError as error:
        raise BackendError("ledger, broker or result backend do not answer in time") from error


def answer(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """Answer with a value as JSON."""
    return make_response(write_json(value, status=status, headers=headers))


def encode_etag(body: bytes) -> str:
    """Return the strong validator of a body."""
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'
