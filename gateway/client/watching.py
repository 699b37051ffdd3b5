"""Waiting for the end of a task, and what is shown meanwhile.

What comes in: a task that was launched. What goes out: its final status; on the standard error a bar where that is a
terminal, else a line for each change. Ctrl-C offers to revoke the task; a second one leaves at once.
"""

import sys
import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import click

from gateway.client.answers import ENDINGS, RevokeAnswer, Status
from gateway.client.describing import render_problem
from gateway.client.errors import RefusedError
from gateway.client.following import Update, follow
from gateway.client.http import decode
from gateway.client.moments import show_briefly
from gateway.client.rendering import render_revoke, show_line, show_position
from gateway.client.shell import Shell, judge
from gateway.client.table import cut, flatten

TICK_S = 0.5
"""How often the bar is drawn while nothing happens."""
_STEPS = 1000
_BAR_COLUMNS = 20
_WORD_COLUMNS = 8
_CLUTTER_COLUMNS = _WORD_COLUMNS + _BAR_COLUMNS + 20
"""What a line holds beside the message: word, bar, brackets, percent, duration, the gaps, and the last column."""
_WAITING = frozenset({"PENDING", "RECEIVED", "RETRY"})


def wait_for_end(shell: Shell, task_id: str) -> tuple[Update, int]:
    """Wait for a task; answer its last update, and the exit code that it means.

    Raises: what `follow` raises; KeyboardInterrupt once the offer to revoke has been answered.
    """
    watch = _Watch(shell)
    try:
        updates = follow(shell.client, task_id)
        last = watch.draw(updates) if shell.has_terminal else watch.tell(updates)
    except KeyboardInterrupt:
        _offer_revoke(shell, task_id, watch.status)
        raise
    return last, judge("" if last.status is None else last.status.status, is_final=True)


class _Watch:
    """What is shown of one task; it remembers the last status."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._began_at = time.monotonic()
        self._words = ""
        self.status: Status | None = None

    def tell(self, updates: Iterator[Update]) -> Update:
        """Print a line for each change; none for a script, which gets the end alone."""
        said = ""
        update = Update()
        for update in updates:
            self.status = update.status or self.status
            line = (
                f"{flatten(update.trouble)}; trying again" if update.trouble else show_line(update.status or _NOTHING)
            )
            if line != said and not self._shell.is_json:
                self._shell.note([line])
            said = line
        return update

    def draw(self, updates: Iterator[Update]) -> Update:
        """Draw a bar until the end."""
        update = Update()
        bar = click.progressbar(
            range(_STEPS),
            file=sys.stderr,
            bar_template="%(label)s [%(bar)s]  %(info)s",
            width=_BAR_COLUMNS,
            show_eta=False,
            item_show_func=lambda _: self._words,
            label=" " * _WORD_COLUMNS,
        )
        bar.length = None  # until the task says how far it is
        with bar:
            for each in _tick(updates, every_s=TICK_S):
                update = each or update
                self.status = update.status or self.status
                self._set(bar, trouble=update.trouble)
                bar.render_progress()
        return update

    def _set(self, bar: Any, *, trouble: str) -> None:
        status = self.status or _NOTHING
        percent = status.progress.percent if status.progress else None
        is_done = ENDINGS.get(status.status, False)
        bar.label = cut(flatten(status.status), _WORD_COLUMNS).ljust(_WORD_COLUMNS)
        bar.length = _STEPS if is_done or percent is not None else None
        bar.pos = _STEPS if is_done else round(10 * min(max(percent or 0, 0), 100))
        room = max((self._shell.err.width or 80) - _CLUTTER_COLUMNS, _WORD_COLUMNS)
        self._words = f"{self._measure():>6}  {cut(self._describe(status, trouble), room)}".rstrip()

    def _describe(self, status: Status, trouble: str) -> str:
        if trouble:
            return f"trying again: {flatten(trouble)}"
        return show_position(status.progress)

    def _measure(self) -> str:
        return show_briefly(int(time.monotonic() - self._began_at))


_NOTHING = Status(task_id="", task_type="", status="")


def _tick(source: Iterator[Update], *, every_s: float) -> Iterator[Update | None]:
    """Yield what a source yields, and None whenever it is silent; it is read in a thread of its own."""
    arrived: SimpleQueue[Update | BaseException | None] = SimpleQueue()

    def read() -> None:
        try:
            for each in source:
                arrived.put(each)
            arrived.put(None)
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the thread that waits
            arrived.put(error)

    Thread(target=read, daemon=True).start()
    while True:
        try:
            each = arrived.get(timeout=every_s)
        except Empty:
            yield None
            continue
        if each is None:
            return
        if isinstance(each, BaseException):
            raise each
        yield each


def _offer_revoke(shell: Shell, task_id: str, status: Status | None) -> None:
    """Ask whether the task that is waited for shall go on; say so where nobody can be asked."""
    is_running = status is not None and status.status not in _WAITING
    question = "The task is running. Stop it?" if is_running else "Revoke the task?"
    goes_on = f"The task goes on: gateway status {task_id} --wait"
    if not shell.can_ask:
        shell.note(["", goes_on])
        return
    try:
        is_unwanted = click.confirm(f"{question} Ctrl-C leaves at once.", default=False, err=True)
    except click.Abort:
        is_unwanted = False
    if not is_unwanted:
        shell.note([goes_on])
        return
    try:
        answer = decode(shell.client.delete("tasks", task_id, terminate=is_running or None), RevokeAnswer)
        shell.note(render_revoke(answer, now=shell.now, paper=shell.err))
    except RefusedError as error:
        shell.note(render_problem(error.problem))
