"""What is done to a generated request before it is sent."""

from typing import Any

import schemathesis

LONGEST_WAIT_S = 0.1


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Wait for next to nothing, where two minutes are allowed."""
    wait_s = (case.query or {}).get("wait_s")
    if isinstance(wait_s, int | float) and LONGEST_WAIT_S < wait_s <= 120:
        case.query["wait_s"] = LONGEST_WAIT_S
