"""Server-sent events, out of lines."""

import pytest

from gateway.client.events import HEARTBEAT, RETRY, Event, read_events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"id: 1-0\nevent: status\ndata: {}\n\n", [Event(kind="status", id="1-0", data="{}")], id="one"),
        pytest.param(
            b"id:1\r\nevent:final\r\ndata:a\r\ndata:b\r\n\r\n",
            [Event(kind="final", id="1", data="a\nb")],
            id="no spaces",
        ),
        pytest.param(b": heartbeat\n\n", [Event(kind=HEARTBEAT, id="")], id="a comment"),
        pytest.param(b"data: a\n\n", [Event(kind="message", id="", data="a")], id="no kind"),
        pytest.param(b"event: status\n\n", [], id="no data"),
        pytest.param(b"event: status\n\ndata: a\n\n", [Event(kind="message", data="a")], id="the kind is of one event"),
        pytest.param(
            b"id: 1\ndata: a\n\ndata: b\n\n",
            [Event(kind="message", id="1", data="a"), Event(kind="message", id="1", data="b")],
            id="the id lasts",
        ),
        pytest.param(b"id: 1\0\ndata: a\n\n", [Event(kind="message", data="a")], id="no id"),
        pytest.param(b"retry: x\nx\ndata:  a\n\n", [Event(kind="message", data=" a")], id="unknown fields"),
        pytest.param(b"retry: 1000\n\n", [Event(kind=RETRY, data="1000")], id="a wish"),
        pytest.param(b"data: a\n\ndata: b\n", [Event(kind="message", data="a")], id="cut off"),
        pytest.param(b"data: \xff\n\n", [Event(kind="message", data="\ufffd")], id="not UTF-8"),
    ],
)
def test_events_are_read(stream: bytes, events: list[Event]) -> None:
    """As the specification says."""
    assert events == list(read_events(stream.splitlines(keepends=True)))


def test_the_last_id_of_an_earlier_connection_lasts() -> None:
    """Until the stream gives one."""
    assert [Event(kind="bye", id="7", data="x")] == list(
        read_events([b"event: bye\n", b"data: x\n", b"\n"], last_id="7")
    )
