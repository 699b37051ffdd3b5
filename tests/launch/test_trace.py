"""What a caller sends of a trace is passed on only where it is sound."""

import pytest

from gateway.launch.trace import Trace, read_trace

TRACE_ID = b"4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = b"00f067aa0ba902b7"
PARENT = b"00-%b-%b-01" % (TRACE_ID, SPAN_ID)


@pytest.mark.parametrize("flags", [b"00", b"01", b"03", b"ff"])
def test_a_sound_parent_is_passed_on_as_it_came(flags: bytes) -> None:
    """Its flags too: whether a trace is recorded was decided where it began."""
    parent = b"00-%b-%b-%b" % (TRACE_ID, SPAN_ID, flags)

    assert Trace(parent=parent.decode()) == read_trace(parent)
    assert {"traceparent": parent.decode()} == Trace(parent=parent.decode()).list_headers()


@pytest.mark.parametrize(
    "parent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"01-%b-%b-01" % (TRACE_ID, SPAN_ID), id="another version"),
        pytest.param(b"ff-%b-%b-01" % (TRACE_ID, SPAN_ID), id="no version"),
        pytest.param(b"00-%b-%b-01" % (b"0" * 32, SPAN_ID), id="no trace"),
        pytest.param(b"00-%b-%b-01" % (TRACE_ID, b"0" * 16), id="no span"),
        pytest.param(PARENT.upper(), id="capitals"),
        pytest.param(PARENT[:-1], id="too short"),
        pytest.param(PARENT + b"-00", id="too long"),
        pytest.param(PARENT + b"\n", id="line feed"),
        pytest.param(b" " + PARENT, id="space"),
        pytest.param(PARENT.replace(b"4bf", b'\xff"}'), id="no digits"),
    ],
)
def test_an_unsound_parent_is_no_trace(parent: bytes) -> None:
    """Nor does the state beside it say anything."""
    assert read_trace(parent, b"vendor=1") is None


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        pytest.param(b"vendor=1", True, id="one"),
        pytest.param(b'a=1,t@v=a b/"c\\, b=', True, id="all that a value may hold"),
        pytest.param(b"a=" + b"x" * 510, True, id="as long as may be"),
        pytest.param(b"a=" + b"x" * 511, False, id="too long"),
        pytest.param(b",".join([b"a=1"] * 32), True, id="as many as may be"),
        pytest.param(b",".join([b"a=1"] * 33), False, id="too many"),
        pytest.param(b"a=b=c", False, id="sign of equality"),
        pytest.param(b"A=1", False, id="capital"),
        pytest.param(b"a=\r\nx: y", False, id="line feed"),
        pytest.param(b"a=\xff", False, id="not ASCII"),
        pytest.param(b"words", False, id="no member"),
    ],
)
def test_a_state_is_passed_on_as_it_came_or_not_at_all(state: bytes, *, kept: bool) -> None:
    """The trace goes on without it."""
    assert Trace(parent=PARENT.decode(), state=state.decode() if kept else "") == read_trace(PARENT, state)
