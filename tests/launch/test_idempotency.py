"""Two requests are the same one if nothing that was asked for differs; the key tells neither itself nor the request."""

import copy
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.errors import (
    GatewayError,
    IdempotencyKeyReusedError,
    LaunchInFlightError,
    MalformedBodyError,
    UncertainPublishError,
)
from gateway.launch.idempotency import Claim, Remembrance, make_claim, read_key, replay
from gateway.launch.launch import write_receipt
from tests.backends.test_message import make_launch

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=6,
)


def claim(params: dict[str, Any], *, key: str = "k", caller: str = "", **options: Any) -> Claim:
    """Claim a key for a launch of `params`."""
    launch = make_launch(params=params)
    receipt = write_receipt(launch, prefix="/p")
    return make_claim(launch, receipt, key=key, caller=caller, options=options, identity=b"i" * 32)


@given(st.dictionaries(st.text("abc", max_size=2), JSON, max_size=4))
def test_the_order_of_keys_is_no_difference(params: dict[str, Any]) -> None:
    """At any depth."""

    def turn(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: turn(value[name]) for name in reversed(value)}
        return [turn(item) for item in value] if isinstance(value, list) else value

    assert claim(params).remembrance.fingerprint == claim(turn(params)).remembrance.fingerprint


@given(JSON, JSON)
def test_any_other_value_is_another_request(first: Any, second: Any) -> None:
    """True is not 1, and 1 is not "1"."""
    assume(json.dumps(first, sort_keys=True) != json.dumps(second, sort_keys=True))

    assert claim({"a": first}).remembrance.fingerprint != claim({"a": second}).remembrance.fingerprint


def test_options_and_callers_make_another_request_and_callers_another_key() -> None:
    """Callers share neither keys nor what is behind them."""
    claims = [claim({}), claim({}, priority=1), claim({}, caller="ci")]

    assert 3 == len({each.remembrance.fingerprint for each in claims})
    assert 2 == len({each.key_digest for each in claims})


@pytest.mark.parametrize("key", ["a", "x" * 255, "0d7e0b3c-98a4", "!~", "{tag}*"])
def test_visible_ascii_is_a_key(key: str) -> None:
    """It is never part of a Redis key itself."""
    assert key == read_key(key)
    assert key not in claim({}, key=key).key_digest or len(key) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "a\n", "\x00", "é", "a\x7f"])
def test_anything_else_is_none(key: str) -> None:
    """A malformed header."""
    with pytest.raises(MalformedBodyError):
        read_key(key)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"fingerprint": "other"}, IdempotencyKeyReusedError),
        ({"state": "pending"}, LaunchInFlightError),
        ({"state": "uncertain"}, UncertainPublishError),
        ({"receipt": None}, LaunchInFlightError),
    ],
)
def test_only_an_ended_launch_of_the_same_request_is_replayed(
    changes: dict[str, Any], error: type[GatewayError]
) -> None:
    """The rest is told apart."""
    made = claim({"a": 1})
    known = msgspec.json.encode(msgspec.structs.replace(made.remembrance, **changes))

    assert made.remembrance.receipt == replay(made, made.encode())
    with pytest.raises(error):
        replay(copy.copy(made), known)
    assert isinstance(made.remembrance, Remembrance)


def test_a_publish_that_nobody_will_end_any_more_is_uncertain() -> None:
    """Its gateway died on the way: the key tells of its task for as long as it is kept, and never says "in flight" for ever."""
    first, later = claim({"a": 1}), claim({"a": 1})
    receipt = later.remembrance.receipt
    assert receipt is not None
    later = msgspec.structs.replace(
        later,
        remembrance=msgspec.structs.replace(
            later.remembrance,
            task_id="another",
            receipt=msgspec.structs.replace(receipt, launched_at=receipt.launched_at + timedelta(seconds=61)),
        ),
    )

    with pytest.raises(LaunchInFlightError):
        replay(first, first.encode("pending"))
    with pytest.raises(UncertainPublishError) as caught:
        replay(later, first.encode("pending"))
    assert first.remembrance.task_id == caught.value.task_id
