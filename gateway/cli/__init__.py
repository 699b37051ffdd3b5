"""The command line: one file per command, imported when it is called, so that `check` does not wait for a web server."""

from importlib import import_module

import click

from gateway import __version__

_COMMANDS = {
    "serve": "Serve tasks.yaml over HTTP.",
    "dev": "Run the demo: Valkey, a worker and the gateway.",
    "check": "Report every issue of tasks.yaml.",
    "plan": "Compare two versions of tasks.yaml: what breaks, and for whom.",
    "show": "Show what one task type was compiled into.",
    "can": "Tell whether a key or a role may do something, and why.",
    "keys": "Make the API keys of a gateway.",
    "schema": "Print the JSON Schema of tasks.yaml, for editors.",
    "scaffold": "Write a tasks.yaml from an existing Celery app.",
    "tasks": "List what can be launched, or describe one task type.",
    "drift": "Compare the workers with the catalog.",
    "launch": "Launch a task: TYPE key=value …",
    "status": "Tell what is known of a task.",
    "history": "List what was launched, newest first.",
    "revoke": "Ask that a task not run, or stop.",
    "retry": "Launch a task again that has ended.",
}
"""The name of each command, which is the name of its module here, and what it is for."""


class _Commands(click.Group):
    """A group that knows its commands by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"gateway.cli.{cmd_name}"), f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="gateway")
def cli() -> None:
    """One tasks.yaml in, a REST API over existing Celery workers out."""
