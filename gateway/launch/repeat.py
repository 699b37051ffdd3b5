"""From a recorded launch to the same once more: its params, some set anew, against what its task type declares today."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from gateway.catalog.catalog import Catalog
from gateway.catalog.task_type import TaskType
from gateway.errors import Fault, ParamsNoLongerFitError, RefusedParamsError, TaskTypeGoneError, UnknownTaskTypeError
from gateway.launch.launch import Launch, LedgerEntry, Lineage
from gateway.launch.prepare import Wish, prepare

_AT = "/params"


def repeat(entry: LedgerEntry, overrides: dict[str, Any], catalog: Catalog, *, caller: str, now: datetime) -> Launch:
    """Prepare a recorded launch once more.

    Raises: TaskTypeGoneError; RefusedParamsError for what was set anew, naming also every secret param that must be given
        again, as none is ever recorded; ParamsNoLongerFitError for what was recorded.
    """
    task_type = _find(entry.task_type, catalog)
    faults = tuple(_find_missing_secrets(entry, overrides, task_type))
    if faults:
        raise RefusedParamsError(faults)
    lineage = Lineage(
        retry_of=entry.task_id,
        root_id=entry.lineage.root_id if entry.lineage else entry.task_id,
        attempt=(entry.lineage.attempt if entry.lineage else 1) + 1,
    )
    wish = Wish(task_type=entry.task_type, params=entry.params | overrides, params_at=_AT, lineage=lineage)
    try:
        return prepare(wish, catalog, now=now, caller=caller)
    except RefusedParamsError as error:
        if entry.digest == catalog.digest or all(_name_param(each) in overrides for each in error.faults):
            raise
        raise ParamsNoLongerFitError(error.faults, digest_then=entry.digest, digest_now=catalog.digest) from error


def _find(task_type: str, catalog: Catalog) -> TaskType:
    try:
        return catalog.find(task_type)
    except UnknownTaskTypeError as error:
        raise TaskTypeGoneError(task_type, near=error.near) from error


def _find_missing_secrets(entry: LedgerEntry, overrides: dict[str, Any], task_type: TaskType) -> Iterable[Fault]:
    """Find the secret params that the task type still takes, and that were not given again."""
    declared = task_type.params.json_schema["properties"]
    for name in entry.secrets:
        if name in declared and name not in overrides:
            yield Fault(pointer=f"{_AT}/{name}", code="secret", detail="a secret is never recorded: give it again")


def _name_param(fault: Fault) -> str:
    """Return the name of the param that a fault is about; empty when it is about all of them."""
    name = fault.pointer.removeprefix(_AT).removeprefix("/").partition("/")[0]
    return name.replace("~1", "/").replace("~0", "~")
