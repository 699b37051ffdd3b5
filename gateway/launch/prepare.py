"""From params and options to a `Launch`: the decision, without the broker."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from gateway.catalog.catalog import Catalog
from gateway.catalog.task_type import TaskType
from gateway.errors import Fault, RefusedParamsError
from gateway.launch.launch import Launch, Lineage, draft_row
from gateway.launch.options import NO_OPTIONS, InvalidOptionsError, LaunchOptions, read_options, start_at
from gateway.launch.quota import choose_quotas
from gateway.launch.slot import choose_slot

UNSET_MOMENT: Final = datetime.min.replace(tzinfo=UTC)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller asks to launch, as it came."""

    task_type: str
    params: Any = None
    body: bytes | None = None
    """The params as they came, where the body holds nothing else; then `params` says nothing."""
    options: dict[str, Any] = {}
    are_options_text: bool = False
    """True when the options come from a query string."""
    params_at: str = ""
    """JSON Pointer of the params in the body."""
    options_at: str = ""
    lineage: Lineage | None = None

    def __repr__(self) -> str:
        """Name the wish without its values."""
        return f"Wish({self.task_type!r})"


def prepare(wish: Wish, catalog: Catalog, *, now: datetime, caller: str = "") -> Launch:
    """Decide what is launched for a wish of a caller, which is empty where nobody is told apart; the id is minted once nothing can refuse it any more.

    Raises: UnknownTaskTypeError; RefusedParamsError with every fault of params and options.
    """
    task_type = catalog.find(wish.task_type)
    params, options = _check(wish, task_type, now=now)
    draft = catalog.drafts.get(wish.task_type) or _draft(task_type, catalog)
    policy = task_type.concurrency
    expires_s = options.expires_s if options.expires_s is not None else task_type.expires_s
    return replace(
        draft,
        params=params,
        priority=options.priority if options.priority is not None else task_type.priority,
        eta=start_at(options, now=now),
        expires_at=None if expires_s is None else now + timedelta(seconds=expires_s),
        launched_at=now,
        lineage=wish.lineage,
        launched_by=caller or None,
        slot=None if policy is None else choose_slot(task_type.task_type, policy, params),
        quotas=choose_quotas(task_type.task_type, own=task_type.rate_limit, overall=catalog.rate_limit, caller=caller),
    )


def _draft(task_type: TaskType, catalog: Catalog) -> Launch:
    """Draft the launches of a task type: what is the same in all, which is most of it and would be half the work of each."""
    draft = Launch(
        task_type=task_type.task_type,
        name=task_type.name,
        params={},
        secret_names=task_type.params.secret_names,
        queue=task_type.queue,
        is_plain=task_type.is_plain,
        time_limit_s=task_type.time_limit_s,
        soft_time_limit_s=task_type.soft_time_limit_s,
        keep_s=task_type.keep_s,
        longest_keep_s=catalog.longest_keep_s,
        launched_at=UNSET_MOMENT,
        digest=catalog.digest,
        generation=catalog.generation,
        max_queued=task_type.max_queued,
        delivery=task_type.delivery,
        when_unavailable=task_type.when_unavailable,
        reconcile_after_s=task_type.reconcile_after_s,
    )
    draft = catalog.drafts[task_type.task_type] = replace(draft, row=draft_row(draft))
    return draft


def _check(wish: Wish, task_type: TaskType, *, now: datetime) -> tuple[dict[str, Any], LaunchOptions]:
    faults: list[Fault] = []
    params: dict[str, Any] = {}
    options = NO_OPTIONS
    try:
        params = task_type.accept(wish.params) if wish.body is None else task_type.accept_body(wish.body)
    except RefusedParamsError as error:
        at = wish.params_at
        faults += [replace(fault, pointer=at + fault.pointer) for fault in error.faults]
    if wish.options:
        try:
            options = read_options(
                wish.options, allowed=task_type.caller_options, strict=not wish.are_options_text, at=wish.options_at
            )
            faults += _find_delay_faults(options, task_type, at=wish.options_at, now=now)
        except InvalidOptionsError as error:
            faults += error.faults
    if faults:
        raise RefusedParamsError(tuple(faults))
    return params, options


def _find_delay_faults(options: LaunchOptions, task_type: TaskType, *, at: str, now: datetime) -> Iterator[Fault]:
    """Find a start that the broker would not wait for: it would hand the message to one worker after another."""
    start, longest_s = start_at(options, now=now), task_type.max_delay_s
    if start is not None and longest_s is not None and start - now >= timedelta(seconds=longest_s):
        name = "eta" if options.eta is not None else "countdown_s"
        detail = f"wanted a start within {longest_s} s, the broker's visibility timeout"
        yield Fault(pointer=f"{at}/{name}", code="beyond_visibility_timeout", detail=detail, expected=longest_s)
