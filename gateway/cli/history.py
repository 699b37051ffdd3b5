"""`gateway history`: what was launched, newest first."""

from collections.abc import Iterator

import click
import msgspec

from gateway.client.answers import Page, Status
from gateway.client.http import decode
from gateway.client.moments import read_past
from gateway.client.rendering import render_history
from gateway.client.shell import DONE, Shell, client_command

_PAGE = 200
"""The most that one request is answered with."""
_SPARE_PAGES = 100
"""A page may be empty and have another one behind it: so many more than are needed are asked for."""


@client_command("history", short_help="List what was launched, newest first.")
@click.option("--task-type", help="Only tasks of this type.")
@click.option("--status", help="Only tasks with this status, as FAILURE.")
@click.option("--since", metavar="MOMENT", help="Only tasks launched since: 2026-01-31T12:00, or 2h for two hours ago.")
@click.option("--until", metavar="MOMENT", help="Only tasks launched before that.")
@click.option("--retry-of", metavar="ID", help="Only retries of this task.")
@click.option("--batch", metavar="ID", help="Only tasks of this batch.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="At most so many.")
@click.option("--cursor", help="Go on where an earlier list ended.")
def history_command(
    shell: Shell, *, since: str | None, until: str | None, limit: int, cursor: str | None, **filters: str | None
) -> int:
    """List what was launched, newest first.

    With --json there is one task on each line.
    """
    moments = {
        name: None if text is None else read_past(text, now=shell.now, zone=None).isoformat()
        for name, text in (("since", since), ("until", until))
    }
    search = _Search(shell, {**filters, **moments}, cursor=cursor)
    items = tuple(search.find(limit))
    shell.answer_list(
        items, lambda: render_history((decode(each, Status) for each in items), now=shell.now, paper=shell.out)
    )
    if search.cursor is not None and not shell.is_json:
        shell.note([f"There are more: --cursor {search.cursor}"])
    return DONE


class _Search:
    """A walk over the pages of the history; `cursor` is where it stands, None at the end."""

    def __init__(self, shell: Shell, filters: dict[str, str | None], *, cursor: str | None) -> None:
        self._client = shell.client
        self._filters = filters
        self.cursor = cursor

    def find(self, limit: int) -> Iterator[msgspec.Raw]:
        """Yield what is found, at most `limit`."""
        left = limit
        for _ in range(-(-limit // _PAGE) + _SPARE_PAGES):
            query = {**self._filters, "cursor": self.cursor, "limit": min(left, _PAGE)}
            page = decode(self._client.get("tasks", "history", **query), Page)
            self.cursor = page.next_cursor
            yield from page.items[:left]
            left -= len(page.items)
            if left <= 0 or self.cursor is None:
                return
