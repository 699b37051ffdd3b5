"""What follows a launch: its receipt, or the end of its task.

What comes in: a receipt, or the id of a task. What goes out: an exit code, once the answer has been shown.
"""

from gateway.client.answers import Receipt
from gateway.client.http import decode
from gateway.client.rendering import render_receipt, render_status
from gateway.client.shell import DONE, Shell
from gateway.client.watching import wait_for_end


def finish(shell: Shell, receipt: bytes, *, wait: bool) -> int:
    """Show the receipt of a launch; then wait for the end of the task, if that is wanted."""
    launched = decode(receipt, Receipt)
    if not wait:
        shell.answer(receipt, lambda: render_receipt(launched, paper=shell.out))
        return DONE
    if not shell.is_json:
        shell.note(render_receipt(launched, paper=shell.err)[:2])
    return wait_and_show(shell, launched.task_id)


def wait_and_show(shell: Shell, task_id: str) -> int:
    """Wait for the end of a task and show its final status."""
    last, code = wait_for_end(shell, task_id)
    shell.answer(
        last.body,
        lambda: [] if last.status is None else render_status(last.status, now=shell.now, zone=None, paper=shell.out),
    )
    return code
