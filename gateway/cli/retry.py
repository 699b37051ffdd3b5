"""`gateway retry ID key=value …`: launch a task again that has ended."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import click

from gateway.client.answers import Entry, Status
from gateway.client.errors import RefusedError
from gateway.client.http import decode
from gateway.client.shell import Shell, client_command
from gateway.client.values import build_params, find_missing_secrets
from gateway.client.waiting import finish


@client_command("retry", short_help="Launch a task again that has ended.")
@click.argument("task_id", metavar="ID")
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--force", is_flag=True, help="Launch it also when it has been retried before.")
@click.option("--wait", is_flag=True, help="Wait for the end of the new task; Ctrl-C offers to revoke it.")
def retry_command(shell: Shell, *, task_id: str, words: Sequence[str], force: bool, wait: bool) -> int:
    """Launch the task ID again, with its params; those given here, as for `gateway launch`, take the place of theirs.

    Secret params are not remembered: they are asked for on a terminal, or given with KEY=@FILE.
    """
    given = shell.read_words(words)
    schema = _find_schema(shell, decode(shell.client.get("tasks", task_id), Status).task_type)
    given += shell.ask_secrets(find_missing_secrets(schema, [each.name for each in given]))
    body: dict[str, Any] = {"params": build_params(given, schema)}
    if force:
        body["force"] = True
    return finish(shell, shell.client.post("tasks", task_id, "retry", body=body), wait=wait)


def _find_schema(shell: Shell, task_type: str) -> dict[str, Any]:
    """Find what the params of a task type are today; nothing when it is gone, which the gateway then says itself."""
    try:
        return decode(shell.client.get("tasks", "types", task_type), Entry).parameters
    except RefusedError as error:
        if error.problem.status != HTTPStatus.NOT_FOUND:
            raise
        return {}
