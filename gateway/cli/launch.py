"""`gateway launch TYPE key=value …`: launch a task, and wait for its end if that is wanted."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import click

from gateway.client.answers import DryRun, Entry
from gateway.client.errors import AwayError
from gateway.client.http import decode
from gateway.client.moments import read_duration, read_moment
from gateway.client.rendering import render_dry_run
from gateway.client.shell import DONE, Shell, client_command
from gateway.client.values import build_params, find_missing_secrets
from gateway.client.waiting import finish

_HELP = """Launch a task of TYPE with params.

\b
company_id=76123456-7    a string stays as it is; where the task type wants a number, a boolean,
                         an array, an object or null, the text is read as JSON
items:='["a", "b"]'      JSON, whatever the task type wants
token=@path              the text of a file, without the line break that ends it; - is stdin

Secret params that are missing are asked for on a terminal. Everybody on a machine can read how its commands were
called: give secrets so, or with @.
"""


@client_command("launch", short_help="Launch a task: TYPE key=value …", help=_HELP)
@click.argument("task_type", metavar="TYPE")
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--wait", is_flag=True, help="Wait for the end of the task; Ctrl-C offers to revoke it.")
@click.option("--dry-run", is_flag=True, help="Check everything and launch nothing.")
@click.option("--countdown", metavar="DURATION", help="Not before so long: 90, 15m, 1h30m.")
@click.option("--eta", metavar="MOMENT", help="Not before this moment: 2026-01-31T12:00, on this machine's clock.")
@click.option("--expires", metavar="DURATION", help="Not started by then, it does not run.")
@click.option("--priority", type=int, help="Message priority.")
@click.option("--idempotency-key", metavar="KEY", help="Launch once, however often this is said with the same key.")
def launch_command(
    shell: Shell,
    *,
    task_type: str,
    words: Sequence[str],
    wait: bool,
    dry_run: bool,
    idempotency_key: str | None,
    **options: Any,
) -> int:
    """Launch a task, or say that nothing was launched."""
    if wait and dry_run:
        raise click.UsageError("--dry-run launches nothing that --wait could wait for")
    given = shell.read_words(words)
    body = {"task_type": task_type, "options": _read_options(**options)}
    entry = decode(shell.client.get("tasks", "types", task_type), Entry)
    given += shell.ask_secrets(find_missing_secrets(entry.parameters, [each.name for each in given]))
    body["params"] = build_params(given, entry.parameters)
    if dry_run:
        answer = shell.client.post("tasks", "launch", body=body, dry_run=True)
        shell.answer(answer, lambda: render_dry_run(decode(answer, DryRun), paper=shell.out))
        return DONE
    return finish(shell, _launch(shell, body, key=idempotency_key or str(uuid.uuid4())), wait=wait)


def _launch(shell: Shell, body: dict[str, Any], *, key: str) -> bytes:
    """Launch under a key, so that a launch whose answer is lost can be repeated without a second task."""
    try:
        return shell.client.post("tasks", "launch", body=body, headers={"Idempotency-Key": key})
    except (AwayError, KeyboardInterrupt) as error:
        if isinstance(error, KeyboardInterrupt) or error.was_sent:
            again = f"the same command with --idempotency-key {key} launches it once at most"
            shell.note([f"gateway: the task may have been launched; {again}"])
        raise


def _read_options(
    *, countdown: str | None, eta: str | None, expires: str | None, priority: int | None
) -> dict[str, Any]:
    """Read the options of a launch; those that were not given are left out."""
    read: dict[str, tuple[str | int | None, Callable[[Any], object]]] = {
        "countdown_s": (countdown, read_duration),
        "eta": (eta, lambda text: datetime.isoformat(read_moment(text, zone=None))),
        "expires_s": (expires, read_duration),
        "priority": (priority, int),
    }
    return {name: parse(text) for name, (text, parse) in read.items() if text is not None}
