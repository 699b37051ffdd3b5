"""A bug is logged with where it happened, and never with what was in hand when it did."""

import subprocess
import sys

import pytest

CANARY = "canary-7f3a9c"
FAILING = f"""
import structlog
from gateway.launch.prepare import Wish
from gateway.logs import configure_logs

def fail(wish):
    in_hand = "{CANARY}"
    raise RuntimeError("a bug")

configure_logs(level="debug", style="STYLE")
try:
    fail(Wish(task_type="demo", params={{"password": "{CANARY}"}}))
except RuntimeError:
    structlog.get_logger("gateway.web").exception("internal_error")
"""


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_traceback_shows_no_variables(style: str) -> None:
    """Neither what a frame holds nor what its arguments hold is in the log; the failing function is."""
    program = FAILING.replace("STYLE", style)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)

    assert "a bug" in done.stderr
    assert "fail" in done.stderr
    assert CANARY not in done.stderr
