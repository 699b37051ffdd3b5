"""What the kit asks and tells the ledger, each in one round trip; the scripts decide.

Its keys stand in `gateway/backends/redis/keys.py`.
"""

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final, NamedTuple

from redis import Redis

_PACKAGE: Final = files("gateway")
_SHARED: Final = (
    *(f"backends/redis/{name}.lua" for name in ("tell", "settle", "note_run", "claims")),
    "worker/settle_uncounted.lua",
)


class Run(NamedTuple):
    """One delivery of a task that is run, or may be."""

    task_id: str
    token: str
    """Its own, so that it is told from every other run of the task."""
    worker: str
    retries: int
    """How often Celery has retried the task so far."""
    began_at: float
    """Seconds since 1970."""


class Answer(NamedTuple):
    """What the ledger says of a delivery."""

    word: str
    held_s: float = 0.0
    """With `held`: the longest that it can be before the claim is renewed, or free."""


class Ledger:
    """The ledger's side of the kit.

    Every method raises what redis-py raises.
    """

    def __init__(self, client: Redis, *, prefix: str, lease_s: float) -> None:
        self._client = client
        self._prefix = prefix
        self._lease_ms = int(lease_s * 1000)
        names = ("claim", "finish", "keep", "receive")
        self._claim, self._finish, self._keep, self._receive = (
            client.register_script(_load(*_SHARED, f"worker/{name}.lua")) for name in names
        )

    def claim(self, run: Run) -> Answer:
        """Ask whether a delivery may run, and take it if so."""
        word, *rest = self._claim(
            args=[
                self._prefix, run.task_id, run.token, self._lease_ms, run.worker, write_moment(run.began_at), run.retries,
            ]
        )  # fmt: skip
        return Answer(word, *(each / 1000 for each in rest))

    def finish(self, run: Run, word: str, end: dict[str, Any] | None = None) -> bool:
        """Write down what became of a run; False when the task is in other hands."""
        value = "" if end is None else json.dumps(end)
        return bool(self._finish(args=[self._prefix, run.task_id, run.token, run.worker, run.retries, word, value]))

    def keep(self, worker: str, runs: Sequence[Run]) -> list[int]:
        """Renew the claims of runs, and say that a worker is alive unless it is ''; the answers are those of `keep.lua`."""
        words = [word for run in runs for word in (run.task_id, run.token, run.worker, run.retries)]
        answers: list[int] = self._keep(args=[self._prefix, worker, self._lease_ms, *words])
        return answers

    def receive(self, worker: str, received: Sequence[tuple[str, float]]) -> None:
        """Note when tasks were received."""
        words = [word for task_id, at in received for word in (task_id, write_moment(at))]
        self._receive(args=[self._prefix, worker, *words])

    def is_revoked(self, task_id: str) -> bool:
        """Tell whether somebody wishes that a task not run."""
        return bool(self._client.exists(f"{self._prefix}revoke:{task_id}"))


def write_moment(at: float) -> str:
    """Write a moment as it stands in the ledger: RFC 3339 in UTC with microseconds, so that text sorts as time."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def describe_end(run: Run, status: str, error: BaseException | None = None) -> dict[str, Any]:
    """Describe how a run ended, as the ledger keeps it: without its result, and of an error only the words."""
    end: dict[str, Any] = {
        "status": status,
        "finished_at": write_moment(time.time()),
        "worker": run.worker,
        "retries": run.retries,
    }
    if run.began_at:
        end["started_at"] = write_moment(run.began_at)
    return end if error is None else end | {"error": _describe_error(error)}


ERROR_CHARACTERS: Final = 300


def _describe_error(error: BaseException) -> dict[str, str]:
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    try:
        message = ", ".join(str(each) for each in error.args)
    except Exception:  # noqa: BLE001 - an argument of a task's own error may do anything
        message = ""
    return {"type": name, "message": message.encode(errors="replace").decode()[:ERROR_CHARACTERS]}


def _load(*names: str) -> str:
    # Read as files: to import the packages they lie in would load more than a worker needs.
    return "\n".join(_PACKAGE.joinpath(name).read_text(encoding="utf-8") for name in names)
