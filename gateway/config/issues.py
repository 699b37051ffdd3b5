"""Issues as they are collected: each once, and no more of them than anybody reads."""

from collections.abc import Iterable, Iterator

from gateway.config.words import show_path, show_text
from gateway.errors import Issue

MAX_ISSUES = 100
"""With more of them a file is read no further; that is one issue more."""
FULL_FOUND, FULL_WANTED = f"{MAX_ISSUES} issues before this line", "those mended first"
SHOWN_CLAUSE = 300


class Issues:
    """Collects issues from lazy checks, which look for no more once it is full."""

    def __init__(self) -> None:
        self._issues: dict[Issue, None] = {}

    def __iter__(self) -> Iterator[Issue]:
        return iter(self._issues)

    @property
    def is_full(self) -> bool:
        """True with one more than anybody reads."""
        return len(self._issues) > MAX_ISSUES

    def add(self, issues: Iterable[Issue]) -> None:
        """Add issues until it is full; one mistake in `defaults` may be found in every task type."""
        for issue in issues:
            if self.is_full:
                return
            self._issues[issue] = None


def make_issue_at(
    file: str, line: int, column: int, path: Iterable[str | int], *, found: str, wanted: str, hint: str | None = None
) -> Issue:
    """Make an issue; whatever it quotes, it is one line of a log, and no longer than anybody reads."""
    return Issue(
        file=file,
        line=line,
        column=column,
        path=show_path(path),
        found=show_text(found, longest=SHOWN_CLAUSE),
        wanted=show_text(wanted, longest=SHOWN_CLAUSE),
        hint=None if hint is None else show_text(hint, longest=SHOWN_CLAUSE),
    )


def cut_issues(issues: list[Issue]) -> list[Issue]:
    """Cut issues that are in the order of their places; the last one says that there are more."""
    if len(issues) <= MAX_ISSUES:
        return issues
    place = issues[MAX_ISSUES]
    last = make_issue_at(place.file, place.line, place.column, (), found=FULL_FOUND, wanted=FULL_WANTED)
    return [*issues[:MAX_ISSUES], last]
