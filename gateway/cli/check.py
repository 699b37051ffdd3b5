"""`gateway check PATH…`: every issue of tasks.yaml, found by the code that a start runs; no broker, no network."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import msgspec

from gateway import __version__
from gateway.config.excerpt import render_issues
from gateway.errors import ConfigError, Issue
from gateway.loading import Sources, compile_sources, describe_deployment, read_sources
from gateway.settings import load

HAS_ISSUES, UNUSABLE = 1, 2
"""Exit codes: the files have issues; there is nothing that could be read."""
_RULE: dict[str, Any] = {
    "id": "tasks-yaml",
    "shortDescription": {"text": "tasks.yaml declares what the gateway can serve."},
    "defaultConfiguration": {"level": "error"},
}
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@click.command("check")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "style", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
def check_command(*, paths: Sequence[Path], style: str) -> None:
    """Report every issue of each PATH: a tasks.yaml, or a folder of *.yaml files that are served together.

    Exit code 0 when there is none, 1 when there are issues, 2 when a PATH cannot be read.
    """
    deployment = describe_deployment(load(os.environ))
    issues: list[Issue] = []
    read: Sources = {}
    summaries: list[str] = []
    code = 0
    for path in paths:
        try:
            sources = read_sources(path)
        except ConfigError as error:
            issues += error.issues
            code = UNUSABLE
            continue
        read |= sources
        try:
            count = len(compile_sources(sources, deployment).task_types)
            summaries.append(f"{path}: {count} task {'type' if count == 1 else 'types'}, no issue")
        except ConfigError as error:
            issues += error.issues
            code = max(code, HAS_ISSUES)
    click.echo({"text": _write_text, "json": _write_json, "sarif": _write_sarif}[style](issues, read, summaries))
    sys.exit(code)


def _write_text(issues: list[Issue], read: Sources, summaries: list[str]) -> str:
    if not issues:
        return "\n".join(summaries)
    files = len({issue.file for issue in issues})
    count = f"{len(issues)} {'issue' if len(issues) == 1 else 'issues'} in {files} {'file' if files == 1 else 'files'}"
    return "\n\n".join([*summaries, render_issues(issues, read), count])


def _write_json(issues: list[Issue], _: Sources, __: list[str]) -> str:
    return json.dumps({"count": len(issues), "issues": msgspec.to_builtins(issues)}, ensure_ascii=False, indent=2)


def _write_sarif(issues: list[Issue], _: Sources, __: list[str]) -> str:
    """Write SARIF 2.1.0, which code hosts show beside the lines of a change."""
    driver = {"name": "gateway check", "version": __version__, "rules": [_RULE]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_write_result(each) for each in issues],
    }
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2)


def _write_result(issue: Issue) -> dict[str, Any]:
    hint = f" ({issue.hint})" if issue.hint else ""
    path = f"{issue.path}: " if issue.path else ""
    return {
        "ruleId": _RULE["id"],
        "level": "error",
        "message": {"text": f"{path}found {issue.found}, wanted {issue.wanted}{hint}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _write_uri(Path(issue.file))},
                    "region": {"startLine": issue.line, "startColumn": issue.column},
                }
            }
        ],
    }


def _write_uri(path: Path) -> str:
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
