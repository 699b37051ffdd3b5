"""Rates are read as they are written."""

import pytest

from gateway.config.rates import Rate, read_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [("1/s", Rate(1, 1)), ("60/m", Rate(60, 60)), ("999999999/h", Rate(999_999_999, 3600)), ("5/d", Rate(5, 86_400))],
)
def test_a_rate_is_read_and_written_the_same(text: str, rate: Rate) -> None:
    """In all units."""
    assert rate == read_rate(text)
    assert text == str(rate)
