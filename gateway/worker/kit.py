"""What happens to each delivery: asked for before it runs, written down when it has.

What comes in: Celery's tracer of a task, which runs one delivery and stores its result. What goes out: a tracer that runs it
only if the ledger lets it. Where the ledger's Redis does not answer, a setting decides.
"""

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, Literal, NamedTuple
from uuid import uuid4

from billiard.einfo import ExceptionInfo
from celery import Task, states
from celery.app.task import Context
from celery.app.trace import TraceInfo, trace_ok_t
from celery.exceptions import Ignore, Reject
from redis.exceptions import RedisError

from gateway.worker.keeper import Keeper
from gateway.worker.ledger import Answer, Ledger, Run, describe_end

Tracer = Callable[..., Any]
Away = Literal["run", "requeue"]
AWAY: Final = Answer("away")
BREAK_S: Final = 1.0
"""So long the ledger is not asked again after it failed, by those who do not wait for it."""
PAUSE_S: Final = 0.05
LEAST_DELAY_S: Final = 1.0
REQUEUE_S: Final = 5.0
ID_LENGTH: Final = 36
VERSION_AT: Final = 14
_log = logging.getLogger("gateway.worker")


class Policy(NamedTuple):
    """What a worker does while the ledger's Redis is away."""

    wait_s: float
    """How long a task waits for it."""
    then: Away
    """What becomes of the task after that."""


def may_be_ours(task_id: object) -> bool:
    """Tell whether a gateway may have launched a task: its ids are of version 7, Celery's of version 4."""
    return isinstance(task_id, str) and len(task_id) == ID_LENGTH and task_id[VERSION_AT] == "7"


class Kit:
    """The kit of one app."""

    def __init__(self, ledger: Ledger, keeper: Keeper, policy: Policy) -> None:
        self.ledger = ledger
        self.keeper = keeper
        self.running: dict[str, Run] = {}
        """The runs of this process, by task id."""
        self._policy = policy
        self._away_until = 0.0

    def wrap(self, task: Task, tracer: Tracer) -> Tracer:
        """Make of a tracer one that asks first."""

        @wraps(tracer)
        def trace(uuid: str, args: Any, kwargs: Any, request: dict[str, Any] | None = None) -> Any:
            if request is None or not may_be_ours(uuid):
                return tracer(uuid, args, kwargs, request)
            run = Run(uuid, uuid4().hex, str(request.get("hostname")), int(request.get("retries") or 0), time.time())
            answer = self._ask(run)
            if answer.word == "foreign":
                return tracer(uuid, args, kwargs, request)
            if answer.word == "yours":
                self.keeper.hold(run)
                return self._run(run, tracer, args, kwargs, request)
            if answer is AWAY and self._policy.then == "run":
                self.keeper.adopt(run)
                return self._run(run, tracer, args, kwargs, request)
            context = Context(request, args=args, kwargs=kwargs, called_directly=False)
            return self._refuse(task, run, answer, context)

        return trace

    def _run(self, run: Run, tracer: Tracer, args: Any, kwargs: Any, request: dict[str, Any]) -> Any:
        self.running[run.task_id] = run
        word, end = "died", None
        try:
            answer = tracer(run.task_id, args, kwargs, request)
            word, end = _read_outcome(run, answer)
            return answer
        finally:
            if self.running.get(run.task_id) is run:
                del self.running[run.task_id]
            self.keeper.let_go(run)
            self._finish(run, word, end)

    def _ask(self, run: Run) -> Answer:
        """Ask the ledger, for as long as the policy waits."""
        due = time.monotonic() + self._policy.wait_s
        if time.monotonic() < self._away_until and not self._policy.wait_s:
            return AWAY
        pause_s = PAUSE_S
        while True:
            try:
                answer = self.ledger.claim(run)
            except RedisError as error:
                if time.monotonic() + pause_s > due:
                    self._away_until = time.monotonic() + BREAK_S
                    _log.warning(
                        "the ledger does not answer (%s): task %s is %s",
                        type(error).__name__, run.task_id, "run unclaimed" if self._policy.then == "run" else "put back",
                    )  # fmt: skip
                    return AWAY
                time.sleep(pause_s)
                pause_s *= 2
            else:
                return answer

    def _finish(self, run: Run, word: str, end: dict[str, Any] | None) -> None:
        try:
            if not self.ledger.finish(run, word, end):
                _log.warning("task %s ended here, but belongs to another worker by now", run.task_id)
        except RedisError:
            self.keeper.finish_later(run, word, end)

    def _refuse(self, task: Task, run: Run, answer: Answer, context: Any) -> Any:
        """Answer Celery that a delivery does not run; its message is acknowledged, and its result left as it is."""
        if answer.word in {"held", "away"}:
            # Whoever runs it may die: the message waits until that is known.
            delay_s = REQUEUE_S if answer is AWAY else max(LEAST_DELAY_S, answer.held_s)
            return _put_back(task, context, delay_s)
        if answer.word == "revoked":
            task.backend.mark_as_revoked(run.task_id, "revoked", request=context, store_result=not task.ignore_result)
        _log.info("task %s does not run again: %s", run.task_id, answer.word)
        return _answer_with(Ignore(answer.word))


def _read_outcome(run: Run, answer: Any) -> tuple[str, dict[str, Any] | None]:
    """Read what Celery made of a run."""
    info = answer.info
    if info is None:
        return states.SUCCESS, describe_end(run, states.SUCCESS)
    if info.state == states.FAILURE:
        return states.FAILURE, describe_end(run, states.FAILURE, _find_error(info.retval))
    # A task that asks to be ignored may go on under the same id elsewhere, as Celery's `replace` has it.
    return (states.RETRY if info.state == states.RETRY else "left"), None


def _find_error(retval: Any) -> BaseException:
    return retval if isinstance(retval, BaseException) else Exception(str(retval))


def _put_back(task: Task, context: Any, delay_s: float) -> Any:
    """Have the message delivered again after a while, as Celery's own retry does, but without a trace of it."""
    shown = {name: text for name in ("argsrepr", "kwargsrepr") if (text := context.get(name)) is not None}
    try:
        task.signature_from_request(
            context, context.args, context.kwargs, countdown=delay_s, retries=context.retries or 0, **shown
        ).apply_async()
    except Exception as error:  # noqa: BLE001 - Kombu raises whatever its transport does
        _log.warning("task %s could not be put back (%s)", context.id, type(error).__name__)
        return _answer_with(Reject(f"in other hands: {context.id}", requeue=True))
    return _answer_with(Ignore("put back"))


def _answer_with(error: Ignore | Reject) -> Any:
    state = states.IGNORED if isinstance(error, Ignore) else states.REJECTED
    try:
        raise error
    except (Ignore, Reject) as raised:
        return trace_ok_t(ExceptionInfo(internal=True), TraceInfo(state, raised), 0.0, None)
