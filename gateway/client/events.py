"""Server-sent events out of the lines of a stream.

What comes in: lines, each with its line break. What goes out: events, and what a stream says beside them.
Source: WHATWG HTML, "Interpreting an event stream".
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

HEARTBEAT = "heartbeat"
"""The kind of what only says that the connection lives."""
RETRY = "retry"
"""The kind of what says how long to wait before connecting again: `data` is milliseconds."""


class Event(Struct, frozen=True, kw_only=True):
    """One event."""

    kind: str
    id: str = ""
    """The last id that the stream gave."""
    data: str = ""


def read_events(lines: Iterable[bytes], *, last_id: str = "") -> Iterator[Event]:
    """Read events; one that the end of the stream cuts off is dropped."""
    kind, data = "", list[str]()
    for line in lines:
        text = line.decode("utf-8", errors="replace").rstrip("\r\n")
        if not text:
            if data:
                yield Event(kind=kind or "message", id=last_id, data="\n".join(data))
            kind, data = "", []
            continue
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "":
                yield Event(kind=HEARTBEAT, id=last_id)
            case "event":
                kind = value
            case "data":
                data.append(value)
            case "id" if "\0" not in value:
                last_id = value
            case "retry" if value.isascii() and value.isdecimal():
                yield Event(kind=RETRY, id=last_id, data=value)
            case _:
                pass
