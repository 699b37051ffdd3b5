"""`gateway keys new`: make an API key, show it once, and keep what recognises it.

What comes in: a name, roles and perhaps an expiry. What goes out: the key on the standard output, which nobody can show
again, and its line at the end of the keys file.
"""

import fcntl
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from gateway.access.keys import ENTROPY_BYTES, NAME, ROLE, make_key, read_keys, write_line
from gateway.client.errors import BadWordsError
from gateway.client.moments import read_duration
from gateway.credentials.keyring import read_keys_file
from gateway.errors import SettingsError

_HEAD = b"# API keys of a task gateway, a line each: remove a line to revoke its key. No line holds a key itself.\n"


@click.group("keys", short_help="Make the API keys of a gateway.")
def keys_command() -> None:
    """Make the API keys of a gateway. To revoke one, remove its line from the file."""


@keys_command.command("new", short_help="Make a key, and add its line to the keys file.")
@click.option(
    "--name", required=True, help="Whose key it is; two keys of one name are one caller, while one replaces the other."
)
@click.option(
    "--role", "roles", multiple=True, required=True, help="A role of tasks.yaml, or admin; may be given again."
)
@click.option("--expires", metavar="DURATION", help="How long it is valid, as 90d or 12h; for ever when left out.")
@click.option("--first", is_flag=True, help="Only if the file holds no key yet: for the start of a deployment.")
@click.option(
    "--file", "path", envvar="GATEWAY_API_KEYS_FILE", required=True, show_envvar=True, type=click.Path(path_type=Path),
    help="The keys file.",
)  # fmt: skip
def new_command(*, name: str, roles: Sequence[str], expires: str | None, first: bool, path: Path) -> None:
    """Make a key and print it; it is shown this once."""
    if not re.fullmatch(NAME, name):
        raise click.UsageError("a name is letters, digits and `._@-`, at most 64")
    for role in roles:
        if not re.fullmatch(ROLE, role):
            raise click.UsageError("a role is small letters, digits, `_` and `-`, and begins with a letter")
    if first and path.exists() and read_keys(read_keys_file(path), file=str(path))[0]:
        click.echo(f"{path} holds a key already", err=True)
        return
    now = datetime.now(UTC).replace(microsecond=0)
    expires_at = None if expires is None else now + _read_lifetime(expires)
    key, key_id, kept = make_key(os.urandom(ENTROPY_BYTES))
    line = write_line(
        name=name, roles=dict.fromkeys(roles), key_id=key_id, kept=kept, created_at=now, expires_at=expires_at
    )
    append_line(path, line)
    click.echo(f"the key of {name}, shown this once; {path} keeps its hash", err=True)
    click.echo(key)


def append_line(path: Path, line: str) -> None:
    """Add a line to a keys file, which is made for its owner alone if there is none.

    Raises: SettingsError.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise SettingsError(f"the keys file {path} cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "ab") as file:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        content = read_keys_file(path)
        head = _HEAD if not content else b"" if content.endswith(b"\n") else b"\n"
        file.write(head + line.encode() + b"\n")


def _read_lifetime(text: str) -> timedelta:
    try:
        lifetime = timedelta(seconds=read_duration(text))
    except (BadWordsError, OverflowError) as error:
        raise click.UsageError(f"--expires: {text[:64]!a} is no duration, as 90d or 12h") from error
    if not lifetime:
        raise click.UsageError("--expires: a key that has expired opens nothing")
    return lifetime
