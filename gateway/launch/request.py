"""The bodies of the launch routes, read into values; every fault of a body is found at once."""

from typing import Any, TypeVar, get_origin

import msgspec
from msgspec import Struct

from gateway.config.words import show_type
from gateway.errors import Fault, RefusedParamsError

B = TypeVar("B", bound=Struct)


class LaunchBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /tasks/launch`."""

    task_type: str
    params: dict[str, Any] = {}
    options: dict[str, Any] = {}

    def __repr__(self) -> str:
        """Name the body without its values."""
        return f"LaunchBody({self.task_type!r})"


class RetryBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /tasks/{task_id}/retry`: params to set anew, secrets among them."""

    params: dict[str, Any] = {}
    force: bool = False
    """Retry a task again that was retried already."""

    def __repr__(self) -> str:
        """Name the body without its values."""
        return f"RetryBody(force={self.force})"


def read_launch_body(body: object) -> LaunchBody:
    """Read the body of a launch.

    Raises: RefusedParamsError with every fault of its members.
    """
    return read_members(body, LaunchBody)


def read_retry_body(body: object) -> RetryBody:
    """Read the body of a retry; an empty body is no override.

    Raises: RefusedParamsError with every fault of its members.
    """
    return read_members(body, RetryBody)


def read_members(body: object, kind: type[B]) -> B:
    """Read a body into a struct: convert first and explain only what was refused, as msgspec stops at the first fault.

    Raises: RefusedParamsError with every fault of its members.
    """
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise RefusedParamsError(find_member_faults(body, kind)) from error


def find_member_faults(body: object, kind: type[Struct]) -> tuple[Fault, ...]:
    """Find every member of an object that its struct does not allow."""
    if not isinstance(body, dict):
        return (Fault(pointer="", code="type", detail="wanted a JSON object", expected="object"),)
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    unknown = [
        Fault(
            pointer="/" + name.replace("~", "~0").replace("/", "~1")[:128],
            code="additionalProperties",
            detail="no such member",
            expected=sorted(fields),
        )
        for name in body
        if name not in fields
    ]
    missing = [
        Fault(pointer=f"/{name}", code="required", detail=f"{name} is missing")
        for name, field in fields.items()
        if field.required and name not in body
    ]
    wrong = [
        Fault(pointer=f"/{name}", code="type", detail=f"wanted {_show_type(field.type)}")
        for name, field in fields.items()
        if name in body and not _is_of_type(body[name], field.type)
    ]
    return (*unknown, *missing, *wrong)


def _is_of_type(value: object, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _show_type(kind: Any) -> str:
    plain: type = get_origin(kind) or kind
    return _WORDS.get(plain) or show_type(kind)


_WORDS: dict[type, str] = {dict: "an object", list: "an array"}
