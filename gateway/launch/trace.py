"""The trace that a launch belongs to, as W3C's headers name it, from a request to the message of its task.

What comes in: what a caller sent, which may be anything. What goes out: a value that is safe in a header, or None.
Source: W3C Trace Context, level 1: "traceparent" and "tracestate".
"""

import re
from typing import Final

from msgspec import Struct

MOST_STATE_BYTES: Final = 512
"""W3C asks that so many be passed on; a longer `tracestate` is left out as a whole, the trace goes on without it."""
MOST_MEMBERS: Final = 32
_PARENT: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")
_MEMBER: Final = rb" *[a-z0-9][a-z0-9_*/@-]*=[ -+\--<>-~]*"
_STATE: Final = re.compile(rb"%b(?:,%b)*\Z" % (_MEMBER, _MEMBER))


class Trace(Struct, frozen=True, kw_only=True, gc=False):
    """Where a task hangs in a trace."""

    parent: str
    """The `traceparent`: version, trace id, id of the span above, flags."""
    state: str = ""
    """The `tracestate`: what tracing systems tell each other; empty where there is none."""

    def list_headers(self) -> dict[str, str]:
        """Return the headers of a message, as OpenTelemetry's instrumentation of Celery reads them."""
        if not self.state:
            return {"traceparent": self.parent}
        return {"traceparent": self.parent, "tracestate": self.state}


def read_trace(parent: bytes, state: bytes = b"") -> Trace | None:
    """Read what a caller sent; None for a `traceparent` that is not sound, and then its `tracestate` says nothing."""
    if not _PARENT.match(parent):
        return None
    return Trace(parent=parent.decode("ascii"), state=state.decode("ascii") if _is_state(state) else "")


def _is_state(state: bytes) -> bool:
    is_short = 0 < len(state) <= MOST_STATE_BYTES and state.count(b",") < MOST_MEMBERS
    return is_short and _STATE.match(state) is not None
