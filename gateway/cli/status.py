"""`gateway status ID`: all that is known of a task, now or at its end."""

import click

from gateway.client.answers import Status
from gateway.client.http import decode
from gateway.client.rendering import render_status
from gateway.client.shell import Shell, client_command, judge
from gateway.client.waiting import wait_and_show


@client_command("status", short_help="Tell what is known of a task.")
@click.argument("task_id", metavar="ID")
@click.option("--wait", is_flag=True, help="Wait for the end of the task; Ctrl-C offers to revoke it.")
def status_command(shell: Shell, *, task_id: str, wait: bool) -> int:
    """Tell what is known of the task ID."""
    if wait:
        return wait_and_show(shell, task_id)
    body = shell.client.get("tasks", task_id)
    status = decode(body, Status)
    shell.answer(body, lambda: render_status(status, now=shell.now, zone=None, paper=shell.out))
    return judge(status.status, is_final=False)
