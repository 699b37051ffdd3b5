"""`gateway tasks [TYPE]`: what can be launched."""

import click
import msgspec

from gateway.client.answers import Entry
from gateway.client.describing import render_catalog, render_entry
from gateway.client.http import decode
from gateway.client.shell import DONE, Shell, client_command


@client_command("tasks", short_help="List what can be launched, or describe one task type.")
@click.argument("task_type", metavar="[TYPE]", required=False)
@click.option("--tag", help="Only task types with this tag.")
def tasks_command(shell: Shell, *, task_type: str | None, tag: str | None) -> int:
    """List the task types of the gateway; with TYPE, describe that one and its parameters.

    With --json there is one task type on each line.
    """
    if task_type is not None:
        body = shell.client.get("tasks", "types", task_type)
        shell.answer(body, lambda: render_entry(decode(body, Entry), paper=shell.out))
        return DONE
    entries = decode(shell.client.get("tasks", tag=tag), tuple[msgspec.Raw, ...])
    shell.answer_list(entries, lambda: render_catalog((decode(each, Entry) for each in entries), paper=shell.out))
    return DONE
