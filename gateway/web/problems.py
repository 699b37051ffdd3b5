"""Problem documents: the one shape of every failure, and the one place that chooses a status.

Source: RFC 9457.
"""

import secrets
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from gateway import errors
from gateway.config.words import show_text
from gateway.errors import Fault, Issue
from gateway.web.answers import Answer, Scope
from gateway.web.visit import find_visit

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "1"
INTERNAL_ERROR = "internal_error"
CHALLENGE = 'Bearer realm="task-gateway"'
_log = structlog.get_logger("gateway.web")


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every failure."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: tuple[Fault, ...] = ()
    """Every fault of a refused body."""
    issues: tuple[Issue, ...] = ()
    """Every issue of a tasks.yaml that was not taken."""
    near: tuple[str, ...] = ()
    """Task types with a name like the unknown one."""
    task_id: str | None = None
    """The task that may or may not run, after an uncertain publish; the first retry, where there is one already."""
    digest_then: str | None = None
    """The catalog of the first launch, where its params no longer fit."""
    digest_now: str | None = None
    holders: tuple[str, ...] = ()
    """The tasks under way that leave no place."""
    retry_after_s: int | None = None
    """When there is room in the caller's quotas again."""
    error_id: str | None = None
    """Names the log record of an internal error."""


class UnsupportedMediaTypeError(errors.LaunchError):
    """Raised when a body is not declared as JSON."""

    code = "unsupported_media_type"


class TooLargeError(errors.LaunchError):
    """Raised when a body is larger than the gateway takes."""

    code = "request_entity_too_large"

    def __init__(self) -> None:
        super().__init__("the body is larger than this gateway takes")


class DisconnectedError(errors.LaunchError):
    """Raised when a client leaves before its body has arrived; nobody reads the answer."""

    code = "disconnected"


class UnknownPathError(errors.UnknownTaskTypeError):
    """Raised when the path, not the body, names a task type that is not there."""


STATUSES: dict[type[Exception], HTTPStatus] = {
    errors.MalformedBodyError: HTTPStatus.BAD_REQUEST,
    errors.RefusedParamsError: HTTPStatus.UNPROCESSABLE_ENTITY,
    UnknownPathError: HTTPStatus.NOT_FOUND,
    errors.UnknownCallerError: HTTPStatus.UNAUTHORIZED,
    errors.ForbiddenError: HTTPStatus.FORBIDDEN,
    errors.UnknownTaskTypeError: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    DisconnectedError: HTTPStatus.BAD_REQUEST,
    UnsupportedMediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.IdempotencyKeyReusedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.LaunchInFlightError: HTTPStatus.CONFLICT,
    errors.AlreadyRetriedError: HTTPStatus.CONFLICT,
    errors.TaskTypeGoneError: HTTPStatus.CONFLICT,
    errors.ConcurrencyLimitError: HTTPStatus.CONFLICT,
    errors.WithheldError: HTTPStatus.CONFLICT,
    errors.QueueFullError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.TaskUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.RateLimitedError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.LaunchError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ConfigError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.SettingsError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnknownTaskError: HTTPStatus.NOT_FOUND,
    errors.ForgottenTaskError: HTTPStatus.GONE,
    errors.TaskFinishedError: HTTPStatus.CONFLICT,
    errors.TaskUnfinishedError: HTTPStatus.CONFLICT,
    errors.NoResultError: HTTPStatus.CONFLICT,
    errors.TooManyWaitsError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.BackendError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.GatewayError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The nearest class along an error's class order decides."""


def answer_error(error: Exception, *, scope: Scope) -> Answer:
    """Answer any exception with a problem document, whose code is noted for whoever observes the request."""
    path: str = scope["path"]
    place = show_text(path)  # on one line of any log, whatever it holds
    problem = describe_error(error, instance=path)
    if problem is None:
        find_visit(scope).code = INTERNAL_ERROR
        return _answer_bug(error, path=path, place=place)
    find_visit(scope).code = problem.code
    if isinstance(error, errors.BackendError):
        _log.warning("backend_unavailable", code=error.code, detail=str(error), path=place)
    return write_problem(problem, write_allowances(getattr(error, "allowances", ())))


def answer_status(status: HTTPStatus, *, detail: str, scope: Scope, headers: dict[str, str] | None = None) -> Answer:
    """Answer with a problem that is only about HTTP."""
    code = find_visit(scope).code = status.name.lower()
    return write_problem(_make(status, instance=scope["path"], code=code, detail=detail), headers)


def refuse_method(scope: Scope, *, allow: str) -> Answer:
    """Answer a method that a path does not have with those that it has."""
    detail = f"{scope['method'][:16]} is not allowed here"
    return answer_status(HTTPStatus.METHOD_NOT_ALLOWED, detail=detail, scope=scope, headers={"Allow": allow})


def describe_error(error: Exception, *, instance: str) -> Problem | None:
    """Describe one of our errors; None for a bug, which is told to nobody but the log."""
    status = next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), None)
    if status is None or status is HTTPStatus.INTERNAL_SERVER_ERROR or not isinstance(error, errors.GatewayError):
        return None
    return _make(
        status,
        instance=instance,
        code=error.code,
        detail=str(error),
        errors=getattr(error, "faults", ()),
        issues=getattr(error, "issues", ()),
        near=getattr(error, "near", ()),
        task_id=getattr(error, "task_id", None),
        digest_then=getattr(error, "digest_then", None),
        digest_now=getattr(error, "digest_now", None),
        holders=getattr(error, "holders", ()),
        retry_after_s=getattr(error, "retry_after_s", None),
    )


def _make(status: HTTPStatus, *, instance: str, code: str, detail: str, **members: Any) -> Problem:
    return Problem(
        type=f"urn:task-gateway:problem:{code}",
        title=status.phrase,
        status=status,
        detail=detail,
        instance=instance[:512],
        code=code,
        **members,
    )


def write_problem(problem: Problem, headers: dict[str, str] | None = None) -> Answer:
    """Write a problem as an answer."""
    headers = dict(headers or {})
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    elif problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = RETRY_AFTER_S
    elif problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = CHALLENGE
    return Answer(problem.status, msgspec.json.encode(problem), MEDIA_TYPE, headers)


def write_allowances(allowances: Sequence[errors.Allowance]) -> dict[str, str]:
    """Write what is left of a caller's quotas as header fields.

    Source: draft-ietf-httpapi-ratelimit-headers-11.
    """
    if not allowances:
        return {}
    policies = (f'"{each.policy}";q={each.count};w={each.period_s}' for each in allowances)
    limits = (f'"{each.policy}";r={each.remaining};t={each.renews_s}' for each in allowances)
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(limits)}


def _answer_bug(error: Exception, *, path: str, place: str) -> Answer:
    error_id = secrets.token_hex(8)
    _log.error("internal_error", error_id=error_id, path=place, exc_info=error)
    detail = f"this is a fault of the gateway; its log knows it as {error_id}"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return write_problem(_make(status, instance=path, code=INTERNAL_ERROR, detail=detail, error_id=error_id))
