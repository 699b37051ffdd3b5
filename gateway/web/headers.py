"""The headers that requests may carry, as OpenAPI describes parameters."""

from gateway.launch.idempotency import KEEP_S
from gateway.web.attending import MAX_WAIT_S
from gateway.web.launching import KEY_HEADER
from gateway.web.streaming import ENTRY_ID

KEY = {
    "name": KEY_HEADER,
    "in": "header",
    "required": False,
    "description": f"The same key and request launch once; the first receipt is answered again for {KEEP_S} seconds.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": f"`wait=10` waits so many seconds for the end of the task, at most {MAX_WAIT_S}.",
    "schema": {"type": "string"},
}
LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "The last event that was seen, on whichever gateway: the stream goes on behind it.",
    "schema": {"type": "string", "pattern": ENTRY_ID},
}
