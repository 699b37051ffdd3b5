"""`gateway plan OLD NEW`: what an edit of tasks.yaml changes, and for whom it breaks.

What comes in: two files or folders. What goes out: the changes, and an exit code for CI. It needs neither broker nor
network.
"""

import os
import sys
from pathlib import Path

import click
import msgspec

from gateway.catalog.deployment import Deployment
from gateway.config import Config, parse, read
from gateway.errors import ConfigError, Issue
from gateway.loading import Sources, compile_sources, describe_deployment, read_sources
from gateway.planning import Change, compare
from gateway.planning.rendering import render
from gateway.settings import load

BREAKING = 3
"""Exit code when a change breaks callers or workers."""


@click.command("plan", short_help="Compare two versions of tasks.yaml: what breaks, and for whom.")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
def plan_command(*, old: Path, new: Path, style: str) -> None:
    """Print each change from OLD to NEW, files or folders: safe or breaking, for callers or for workers already running.

    Exit code 0 when nothing breaks, 3 when something does, 2 when a file has issues.
    """
    deployment = describe_deployment(load(os.environ))
    before, after = _read_both(old, new, deployment)
    changes = compare(before, after, default_queue=deployment.default_queue, keep_s=deployment.keep_s)
    click.echo(_encode(changes) if style == "json" else render(changes), nl=False)
    if any(change.verdict == "breaking" for change in changes):
        sys.exit(BREAKING)


def _read_both(old: Path, new: Path, deployment: Deployment) -> tuple[Config, Config]:
    """Read two versions.

    Raises: ConfigError with the issues of both.
    """
    issues: list[Issue] = []
    sources: list[Sources] = []
    for path in (old, new):
        try:
            sources.append(read_sources(path))
            compile_sources(sources[-1], deployment)
        except ConfigError as error:
            issues += error.issues
    if issues:
        raise ConfigError(tuple(issues))
    before, after = (_read(each) for each in sources)
    return before, after


def _read(sources: Sources) -> Config:
    documents = [parse(data, file=file)[0] for file, data in sources.items()]
    config, _ = read([document for document in documents if document is not None])
    return config


def _encode(changes: tuple[Change, ...]) -> str:
    is_breaking = any(change.verdict == "breaking" for change in changes)
    plan = {"is_breaking": is_breaking, "changes": changes}
    return msgspec.json.format(msgspec.json.encode(plan), indent=2).decode() + "\n"
