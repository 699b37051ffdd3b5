"""`gateway show TASK`: what was compiled for one task type, and a line that launches it.

What comes in: a file and a task type. What goes out: text or JSON. It needs neither broker nor network.
"""

import os
from pathlib import Path

import click
import msgspec

from gateway.loading import describe_deployment, load_catalog
from gateway.planning.showing import describe, render
from gateway.settings import load


@click.command("show", short_help="Show what was compiled for a task type.")
@click.argument("task")
@click.option("--config", type=str, help="The tasks.yaml, or a folder of them.")
@click.option(
    "--url", default="http://127.0.0.1:8000", show_default=True, help="Where the printed line finds a gateway."
)
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show_command(*, task: str, config: str | None, url: str, style: str) -> None:
    """Show how TASK runs, what checks each of its parameters, and a line to launch it with.

    Exit code 2 when there is no such task type or the file has issues.
    """
    settings = load(os.environ, config=config)
    catalog = load_catalog(Path(settings.config), describe_deployment(settings))
    shown = describe(catalog.find(task), base_url=url, prefix=settings.prefix)
    if style == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())
    else:
        click.echo(render(shown), nl=False)
