"""`gateway revoke ID`: ask that a task not run, or stop."""

import click

from gateway.client.answers import RevokeAnswer
from gateway.client.http import decode
from gateway.client.rendering import render_revoke
from gateway.client.shell import DONE, Shell, client_command


@client_command("revoke", short_help="Ask that a task not run, or stop.")
@click.argument("task_id", metavar="ID")
@click.option("--terminate", is_flag=True, help="Stop the task also when it is running.")
@click.option("--signal", metavar="NAME", help="The signal that stops it: SIGTERM unless said otherwise.")
def revoke_command(shell: Shell, *, task_id: str, terminate: bool, signal: str | None) -> int:
    """Ask that the task ID not run, or with --terminate that it stop.

    What is confirmed of a revoke, and when, is told by `gateway status`.
    """
    if signal and not terminate:
        raise click.UsageError("--signal stops a running task, which is what --terminate asks for")
    body = shell.client.delete("tasks", task_id, terminate=terminate or None, signal=signal)
    shell.answer(body, lambda: render_revoke(decode(body, RevokeAnswer), now=shell.now, paper=shell.out))
    return DONE
