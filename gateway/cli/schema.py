"""`gateway schema`: the JSON Schema of tasks.yaml itself, for editors that complete and check YAML."""

import json

import click

from gateway.config.editor_schema import write_editor_schema


@click.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of tasks.yaml."""
    click.echo(json.dumps(write_editor_schema(), ensure_ascii=False, indent=2))
