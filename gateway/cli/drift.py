"""`gateway drift`: where the workers differ from the catalog of a running gateway."""

import time

import click
from msgspec.structs import replace

from gateway.client.answers import Drift
from gateway.client.describing import render_drift
from gateway.client.http import decode
from gateway.client.shell import DONE, Shell, client_command

DRIFTED = 3
"""Exit code when something is wrong, or nobody can tell: a check must not pass on ignorance."""
UNDECLARED = "undeclared"
AGAIN_S = 0.25
"""Between two questions while nobody can tell."""


@client_command("drift", short_help="Compare the workers with the catalog.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--allow-undeclared", is_flag=True, help="Tasks that no task type launches are no drift.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Ask again for so long while nobody can tell, as when the gateway has just begun.",
)
def drift_command(shell: Shell, *, style: str, allow_undeclared: bool, wait_s: float) -> int:
    """Tell where the live workers differ from what the gateway declares.

    Names that no live worker registers, queues that nobody consumes, registered tasks that nobody declared, workers of one
    queue that register different tasks. Exit code 3 when there is any, or when the workers cannot be asked.
    """
    body, drift = _ask(shell, until=time.monotonic() + wait_s)
    if allow_undeclared:
        left = tuple(each for each in drift.differences if each.kind != UNDECLARED)
        drift = replace(
            drift, differences=left, status="none" if drift.status == "drift" and not left else drift.status
        )
    if style == "json":
        click.echo(body)
    else:
        shell.answer(body, lambda: render_drift(drift, paper=shell.out))
    return DONE if drift.status == "none" else DRIFTED


def _ask(shell: Shell, *, until: float) -> tuple[bytes, Drift]:
    """Ask until somebody can tell, or until it is late."""
    while True:
        body = shell.client.get("drift")
        drift = decode(body, Drift)
        if drift.status != "unknown" or time.monotonic() >= until:
            return body, drift
        time.sleep(AGAIN_S)
