"""The life of a task in words, and which of several witnesses is believed: a status never goes backwards.

What comes in: the ledger's row with what was noted of the run and the end, and Celery's record. What goes out: one word.
Celery's own words rank PENDING, RECEIVED, then everything that happens while a task runs, then the final ones. Within a
run they may follow each other in any order (a retry starts again); a word of a lower rank than what is known is late news.
"""

from gateway.launch.withdrawal import REVOKE_REQUESTED
from gateway.ports import Remembered, Run
from gateway.status.record import ResultRecord

FINAL = frozenset({"SUCCESS", "FAILURE", "REVOKED", "UNKNOWN"})
"""Nothing follows these; UNKNOWN is ours, where nothing can become known any more."""
CELERY_FINAL = FINAL - {"UNKNOWN"}
WITH_EXCEPTION = frozenset({"FAILURE", "RETRY", "REVOKED"})
"""States whose result is an exception."""
_WITHOUT_RESULT = frozenset({"STARTED", "RECEIVED", "PENDING"})
_SAYS_NOTHING = frozenset({"PENDING", "RECEIVED", REVOKE_REQUESTED})


def choose_status(remembered: Remembered, record: ResultRecord | None) -> str:
    """Choose the word for a task."""
    if remembered.end is not None:
        return remembered.end.status
    if record is not None and record.status in CELERY_FINAL:
        return record.status
    if remembered.revocation is not None and remembered.revocation.confirmed_at is not None:
        return "REVOKED"
    noted = _read_run(remembered.run)
    if record is not None and record.status == REVOKE_REQUESTED and record.result is not None:
        return "RETRY"  # it kept why it was retried
    return noted if record is None or record.status in _SAYS_NOTHING else record.status


def is_underway(status: str) -> bool:
    """Tell whether a task of this status has begun to run and has not ended."""
    return status not in FINAL and status not in {"PENDING", "RECEIVED"}


def is_news(status: str, *, after: str | None) -> bool:
    """Tell whether a status that is heard of can follow the last one that was; late news of a start cannot."""
    if after is None:
        return True
    is_late = status in {"PENDING", "RECEIVED"} and after not in {"PENDING", "RETRY"}
    return status != after and after not in FINAL and not is_late


def has_result(status: str) -> bool:
    """Tell whether a record of this status carries a value of the task's own: a result, or the meta of a state."""
    return status not in WITH_EXCEPTION and status not in _WITHOUT_RESULT


def _read_run(run: Run | None) -> str:
    if run is None:
        return "PENDING"
    if run.started_at is not None or run.is_started:
        return "STARTED"
    return "PENDING" if run.received_at is None else "RECEIVED"
