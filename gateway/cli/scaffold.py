"""`gateway scaffold`: a tasks.yaml to begin with, from an existing Celery app.

What comes in: the name of an app, which is imported. What goes out: a file that loads, with a comment wherever a person
has to look. It connects to nothing.
"""

from pathlib import Path

import click

from gateway.backends.kombu.importing import import_app
from gateway.catalog.deployment import Deployment
from gateway.errors import SettingsError
from gateway.loading import compile_sources
from gateway.scaffolding.reading import read_app
from gateway.scaffolding.rendering import render


@click.command("scaffold", short_help="Write a tasks.yaml from an existing Celery app.")
@click.option("--app", "reference", required=True, help="The Celery app, as package.module:app.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new file; standard output when left out.")
@click.option("--force", is_flag=True, help="Write over a file that exists.")
def scaffold_command(*, reference: str, output: Path | None, force: bool) -> None:
    """Import a Celery app and write what its tasks' names, signatures and docstrings say as a tasks.yaml.

    Exit code 2 when the app cannot be imported, or the file exists.
    """
    if output is not None and output.exists() and not force:
        raise SettingsError(f"{output} exists already: choose another file, or say --force")
    written = render(read_app(import_app(reference, folder=str(Path.cwd())), reference=reference))
    compile_sources({str(output or "tasks.yaml"): written.encode()}, Deployment())
    if output is None:
        click.echo(written, nl=False)
        return
    try:
        output.write_text(written, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot write {output}: {error.strerror}") from error
    click.echo(f"Wrote {output}. Look at the comments in it, then run gateway check {output}")
