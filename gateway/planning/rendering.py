"""A plan as text: by task type, each change with its verdict."""

from collections.abc import Sequence
from itertools import groupby

from gateway.planning.change import Change

_WORDS = {
    ("breaking", "callers"): "breaks callers",
    ("breaking", "workers"): "breaks workers",
    ("safe", "callers"): "safe for callers",
    ("safe", "workers"): "safe for workers",
}


def render(changes: Sequence[Change]) -> str:
    """Write a plan for people; it ends with one line that sums it up."""
    if not changes:
        return "Nothing changes.\n"
    blocks = [
        "\n".join([task_type, *(_render_change(each) for each in group)])
        for task_type, group in groupby(changes, key=lambda each: each.task_type)
    ]
    return "\n\n".join([*blocks, sum_up(changes)]) + "\n"


def sum_up(changes: Sequence[Change]) -> str:
    """Say in one line how many changes break, and for whom."""
    broken = {
        audience: sum(1 for each in changes if each.verdict == "breaking" and each.audience == audience)
        for audience in ("callers", "workers")
    }
    total = f"{len(changes)} {'change' if len(changes) == 1 else 'changes'}"
    parts = []
    if broken["callers"]:
        parts.append(f"{broken['callers']} breaking for callers")
    if broken["workers"]:
        parts.append(f"{broken['workers']} breaking for workers already running")
    return f"{total}: {', '.join(parts)}." if parts else f"{total}, nothing breaks."


def _render_change(change: Change) -> str:
    words = _WORDS.get((change.verdict, change.audience), "safe")
    path = f"{change.path}: " if change.path else ""
    return f"  {words:<16}  {path}{change.detail}"
