"""What a gateway answered about tasks, for people to read.

What comes in: values, the present moment, the clock's zone and what is written on. What goes out: lines.
"""

from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Any

import msgspec

from gateway.client.answers import DryRun, Link, Progress, Receipt, Revocation, RevokeAnswer, Status
from gateway.client.moments import show_briefly, show_distance, show_duration, show_moment
from gateway.client.table import Paper, clean, flatten, write_facts, write_table

_RESULT_WORDS = {
    "too_large": "too large to be shown here, but to be had:",
    "expired": "no longer kept by the result backend",
    "unreadable": "not JSON, so not read",
}


def render_receipt(receipt: Receipt, *, paper: Paper) -> list[str]:
    """Write the proof of a launch, and how to follow it."""
    facts = {
        "task": receipt.task_id,
        "attempt": None if receipt.attempt is None else f"{receipt.attempt}, a retry of {receipt.retry_of}",
        "replaced": ", ".join(receipt.replaced) or None,
        "warning": "; ".join(receipt.warnings) or None,
        "follow it": f"gateway status {receipt.task_id} --wait",
    }
    return [paper.stress(flatten(receipt.message)), *write_facts(facts, paper=paper)]


def render_dry_run(dry_run: DryRun, *, paper: Paper) -> list[str]:
    """Write what would have been launched."""
    lines = [paper.stress(f"{flatten(dry_run.message)}; {flatten(dry_run.task_type)} would get")]
    lines += write_facts({name: write_json(value) for name, value in dry_run.params.items()}, paper=paper) or [
        "  nothing"
    ]
    options = {name: write_json(value) for name, value in dry_run.options.items() if value is not None}
    lines += ["with", *write_facts(options, paper=paper)] if options else []
    return [*lines, *(f"warning: {flatten(each)}" for each in dry_run.warnings)]


def render_revoke(answer: RevokeAnswer, *, now: datetime, paper: Paper) -> list[str]:
    """Write what a revoke did."""
    facts = {
        "task": answer.task_id,
        "status": answer.status,
        "revocation": _show_revocation(answer.revocation, now=now),
    }
    return [paper.stress(flatten(answer.message)), *write_facts(facts, paper=paper)]


def render_status(status: Status, *, now: datetime, zone: tzinfo | None, paper: Paper) -> list[str]:
    """Write all that is known of a task."""

    def show(moment: datetime | None) -> str | None:
        return None if moment is None else show_moment(moment, now=now, zone=zone)

    facts = {
        "task": status.task_id,
        "progress": show_progress(status.progress) or None,
        "launched": show(status.launched_at),
        "started": show(status.started_at),
        "finished": show(status.finished_at),
        "waited": _show_span(status.queued_s),
        "ran": _show_span(status.run_s),
        "worker": status.worker,
        "worker lost": show(status.worker_lost_at),
        "retries": f"{status.retries}, by the task itself" if status.retries else None,
        "attempt": f"{status.attempt}, a retry of {status.retry_of}" if status.retry_of else None,
        "batch": status.batch_id,
        "revocation": _show_revocation(status.revocation, now=now),
        "expires": show(status.expires_at) if status.finished_at is None else None,
    }
    head = f"{paper.paint(flatten(status.status))}  {paper.stress(flatten(status.task_type))}"
    return [head, *write_facts(facts, paper=paper), *_write_outcome(status), *_write_chain(status.chain, now, paper)]


def render_history(items: Iterable[Status], *, now: datetime, paper: Paper) -> list[str]:
    """Write tasks as a table, in their order; ids are never cut."""
    rows = [
        (
            each.status,
            each.task_type,
            "" if each.launched_at is None else show_briefly(max((now - each.launched_at).total_seconds(), 0)),
            "" if each.run_s is None else show_briefly(each.run_s),
            each.task_id,
            _remark(each),
        )
        for each in items
    ]
    head = ("STATUS", "TASK TYPE", "AGE", "RAN", "TASK", "")
    return write_table(rows, head=head, fixed=(0, 2, 3, 4), paper=paper) if rows else ["no task"]


def show_line(status: Status) -> str:
    """Write on one line where a task stands."""
    words = [flatten(status.status), show_progress(status.progress)]
    words += ["its worker was lost"] if status.worker_lost_at and status.finished_at is None else []
    return "  ".join(word for word in words if word)


def show_progress(progress: Progress | None) -> str:
    """Write how far a task says it is; empty when it says nothing."""
    if progress is None:
        return ""
    percent = "" if progress.percent is None else f"{progress.percent:.0f} %"
    return ", ".join(word for word in (percent, show_position(progress)) if word)


def show_position(progress: Progress | None) -> str:
    """Write where a task says it is, without the percent."""
    if progress is None:
        return ""
    words = []
    if progress.current is not None:
        words.append(f"{progress.current:g}" + (f" of {progress.total:g}" if progress.total is not None else ""))
    if progress.message:
        words.append(flatten(progress.message))
    return ", ".join(words)


def write_json(value: Any, *, indent: int | None = None) -> str:
    """Write a value as JSON that can be shown."""
    encoded = msgspec.json.encode(value)
    return clean((encoded if indent is None else msgspec.json.format(encoded, indent=indent)).decode())


def _write_outcome(status: Status) -> list[str]:
    if status.result_omitted is not None:
        words = (_RESULT_WORDS.get(status.result_omitted, status.result_omitted), status.result_url or "")
        return ["Result", f"  {flatten(' '.join(words))}"]
    lines: list[str] = []
    if status.result is not None:
        lines += ["Result", *_indent(write_json(status.result, indent=2))]
    if status.error is not None:
        lines += ["Error", *_indent(clean(f"{status.error.type}: {status.error.message}"))]
        lines += _indent(clean(status.error.traceback)) if status.error.traceback else []
    return lines


def _write_chain(chain: tuple[Link, ...], now: datetime, paper: Paper) -> list[str]:
    if not chain:
        return []
    rows = [
        (
            str(each.attempt),
            each.status,
            (each.launched_at and show_distance(each.launched_at, now=now)) or "",
            each.task_id,
        )
        for each in chain
    ]
    return ["Attempts", *write_table(rows, head=("NO", "STATUS", "LAUNCHED", "TASK"), fixed=(0, 1, 3), paper=paper)]


def _remark(item: Status) -> str:
    """Say the one thing of a task that its row has no column for."""
    if item.error is not None:
        return f"{item.error.type}: {item.error.message}"
    if item.revocation is not None and item.revocation.confirmed_at is None:
        return "a revoke was asked for"
    return f"attempt {item.attempt}" if item.retry_of else ""


def _show_revocation(revocation: Revocation | None, *, now: datetime) -> str | None:
    if revocation is None:
        return None
    words = [
        f"{'stop' if revocation.terminate else 'revoke'} requested {show_distance(revocation.requested_at, now=now)}"
    ]
    words += ["taken out of its queue"] if revocation.is_withdrawn else []
    if revocation.confirmed_at is None:
        return ", ".join([*words, "not confirmed"])
    return ", ".join([*words, f"confirmed {show_distance(revocation.confirmed_at, now=now)}"])


def _show_span(seconds: float | None) -> str | None:
    return None if seconds is None else show_duration(seconds)


def _indent(text: str) -> list[str]:
    return [f"  {line}".rstrip() for line in text.strip("\n").split("\n")]
