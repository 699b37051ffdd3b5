"""`gateway can WHO ACTION [TASK_TYPE]`: may they, and which line of the file says so."""

import os
import sys
import time
from pathlib import Path
from typing import cast

import click

from gateway.access.explaining import Decision, explain_power, explain_verb
from gateway.access.keys import read_keys
from gateway.access.rights import POWERS, VERBS, Verb
from gateway.config import Config
from gateway.config.roles import ADMIN
from gateway.config.words import suggest
from gateway.credentials.keyring import read_keys_file
from gateway.loading import describe_deployment, load_config
from gateway.settings import load

DENIED = 1
"""Exit code for no."""


@click.command("can", short_help="Tell whether a key or a role may do something, and why.")
@click.argument("who")
@click.argument("action", type=click.Choice([*VERBS, *POWERS]))
@click.argument("task_type", required=False)
@click.option("--config", type=str, help="The tasks.yaml, or a folder of them.")
@click.option("--keys", "keys_file", envvar="GATEWAY_API_KEYS_FILE", show_envvar=True, help="The keys file.")
def can_command(*, who: str, action: str, task_type: str | None, config: str | None, keys_file: str | None) -> None:
    """Tell whether WHO, the name of a key or a role, may do ACTION with TASK_TYPE, and which line decided it.

    Exit code 0 for yes, 1 for no, 2 when there is no such key, role or task type.
    """
    settings = load(os.environ, config=config)
    declared = load_config(Path(settings.config), describe_deployment(settings))
    roles = _find_roles(who, declared, keys_file)
    decision = _decide(declared, roles, action, task_type)
    name = who if who in roles else f"{who} ({', '.join(sorted(roles)) or 'no role'})"
    what = f"{action.replace('_', ' ')} {task_type}" if task_type else action
    place = f"{decision.place}: " if decision.place else ""
    click.echo(f"{name} {'may' if decision.is_allowed else 'may not'} {what}: {place}{decision.why}")
    sys.exit(0 if decision.is_allowed else DENIED)


def _decide(config: Config, roles: frozenset[str], action: str, task_type: str | None) -> Decision:
    if action in POWERS:
        if task_type is not None:
            raise click.UsageError(f"{action} is done with the gateway, not with a task type")
        return explain_power(config, roles, action)
    if task_type is None:
        raise click.UsageError(f"{action} is done with a task type: name one")
    if task_type not in config.tasks:
        near = suggest(task_type, config.tasks)
        raise click.UsageError(f"no task type {task_type!r}" + (f": {near}" if near else ""))
    return explain_verb(config, roles, cast("Verb", action), task_type)


def _find_roles(who: str, config: Config, keys_file: str | None) -> frozenset[str]:
    """Find the roles of a key's name, unless it is itself a role; those of keys that have expired are none."""
    if who in {ADMIN, *config.roles}:
        return frozenset({who})
    now, named = time.time(), []
    if keys_file:
        keys, _ = read_keys(read_keys_file(Path(keys_file)), file=keys_file)
        named = [each for each in keys.values() if each.caller.id == f"key:{who.removeprefix('key:')}"]
    if not named:
        known = [ADMIN, *config.roles]
        near = suggest(who, known)
        where = f"in {keys_file}" if keys_file else "as --keys names no keys file"
        raise click.UsageError(f"no role {who!r}, and no key of that name {where}" + (f": {near}" if near else ""))
    valid = [each.caller.roles for each in named if each.expires_at is None or each.expires_at > now]
    return frozenset().union(*valid)
