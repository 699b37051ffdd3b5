"""`gateway` and `python -m gateway`: run a command; turn our errors into sentences and exit codes."""

import sys

import click

from gateway.cli import cli
from gateway.errors import ConfigError, GatewayError, UnsafeError

UNUSABLE = 2
"""Exit code when the settings or the file cannot be served from."""
UNSAFE = 78
"""Exit code in strict mode, `EX_CONFIG` of sysexits.h: no restart will mend it."""


def main() -> None:
    """Run the command line."""
    try:
        cli()
    except ConfigError as error:
        click.echo(str(error), err=True)
        count = len(error.issues)
        click.echo(f"gateway: {count} {'issue' if count == 1 else 'issues'}", err=True)
        sys.exit(UNUSABLE)
    except UnsafeError as error:
        click.echo(f"gateway: {error}", err=True)
        sys.exit(UNSAFE)
    except GatewayError as error:
        click.echo(f"gateway: {error}", err=True)
        sys.exit(UNUSABLE)


if __name__ == "__main__":
    main()
