"""The command line: one file per command."""

import click

from gateway import __version__
from gateway.cli.dev import dev_command
from gateway.cli.plan import plan_command
from gateway.cli.serve import serve_command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="gateway")
def cli() -> None:
    """One tasks.yaml in, a REST API over existing Celery workers out."""


cli.add_command(serve_command)
cli.add_command(dev_command)
cli.add_command(plan_command)
