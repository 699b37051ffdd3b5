"""A batch of launches: items read one by one, so that a bad one says what is wrong with it and hides no other."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from gateway.errors import Fault, LaunchError, RefusedParamsError
from gateway.launch.prepare import Wish
from gateway.launch.request import LaunchBody, find_member_faults, read_launch_body

MAX_ITEMS = 1000


class BatchBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /tasks/launch/batch`."""

    items: Annotated[list[Any], Meta(extra_json_schema={"minItems": 1, "maxItems": MAX_ITEMS})]
    """As the body of `POST /tasks/launch` each, from one to `MAX_ITEMS`."""
    all_or_nothing: bool = False
    """Launch none if any is refused."""

    def __repr__(self) -> str:
        """Count the items without their values."""
        return f"BatchBody({len(self.items)} items)"


def read_batch_body(body: object) -> BatchBody:
    """Read the body of a batch; its items are read by `read_item`.

    Raises: RefusedParamsError.
    """
    try:
        batch = msgspec.convert(body, BatchBody)
    except msgspec.ValidationError as error:
        raise RefusedParamsError(find_member_faults(body, BatchBody)) from error
    if not 1 <= len(batch.items) <= MAX_ITEMS:
        detail = f"wanted 1 to {MAX_ITEMS} items"
        raise RefusedParamsError((Fault(pointer="/items", code="maxItems", detail=detail, expected=MAX_ITEMS),))
    return batch


def read_item(item: object) -> Wish:
    """Read one item.

    Raises: RefusedParamsError.
    """
    read: LaunchBody = read_launch_body(item)
    return Wish(
        task_type=read.task_type, params=read.params, options=read.options, params_at="/params", options_at="/options"
    )


def gather_faults(outcomes: Sequence[object]) -> Iterable[Fault]:
    """Tell the refusals among the outcomes of a batch's items, with pointers into the batch."""
    for index, outcome in enumerate(outcomes):
        at = f"/items/{index}"
        if isinstance(outcome, RefusedParamsError):
            for fault in outcome.faults:
                yield msgspec.structs.replace(fault, pointer=at + fault.pointer)
        elif isinstance(outcome, LaunchError):
            yield Fault(pointer=f"{at}/task_type", code=outcome.code, detail=str(outcome))
