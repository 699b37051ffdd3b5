"""What a command imports before it works."""

import subprocess
import sys

import pytest

from tests.harness import ROOT

LOOK = """
import sys
from gateway.cli import cli
cli.get_command(None, sys.argv[1])
print(*sorted(sys.modules))
"""


@pytest.mark.parametrize(
    ("command", "foreign"),
    [
        ("check", {"gateway.client", "http.client", "httpx", "litestar", "celery"}),
        ("launch", {"gateway.catalog", "httpx", "litestar", "celery", "asyncio"}),
    ],
)
def test_a_command_does_not_wait_for_what_it_does_not_use(command: str, foreign: set[str]) -> None:
    """It is over in the time of its work."""
    ended = subprocess.run(
        [sys.executable, "-c", LOOK, command], cwd=ROOT, capture_output=True, text=True, timeout=20, check=True
    )

    assert set() == foreign & set(ended.stdout.split())
