"""Durations and moments, typed and shown."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.client.errors import BadWordsError
from gateway.client.moments import (
    read_duration,
    read_moment,
    read_past,
    show_briefly,
    show_distance,
    show_duration,
    show_moment,
)

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
CHILE = timezone(timedelta(hours=-3))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1.5", 1.5),
        ("45s", 45),
        ("15m", 900),
        ("15min", 900),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("1w", 604_800),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    """Plain seconds, or numbers with their units."""
    assert seconds == read_duration(text)


@pytest.mark.parametrize("text", ["", "x", "-5", "1h 5", "5x", "1h30", "١", "1e3", "9999999999"])
def test_what_is_no_duration_is_told(text: str) -> None:
    """With examples of one."""
    with pytest.raises(BadWordsError) as caught:
        read_duration(text)

    assert f"{text!a} is no duration, as 90, 15m, 1h30m or 2d" == str(caught.value)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31T12:00", datetime(2026, 1, 31, 15, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, 3, tzinfo=UTC)),
        ("2h", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("1d12h", datetime(2026, 11, 23, 0, tzinfo=UTC)),
    ],
)
def test_a_moment_in_the_past_is_read(text: str, moment: datetime) -> None:
    """One without an offset is one of the zone; a duration is so long ago."""
    assert moment == read_past(text, now=NOW, zone=CHILE)


def test_a_moment_without_a_zone_is_one_of_the_machine() -> None:
    """It has an offset, as the gateway wants it."""
    assert read_moment("2026-01-31T12:00", zone=None).utcoffset() is not None


@pytest.mark.parametrize("text", ["", "now", "2026-02-30", "90", "999999999w"])
def test_what_is_no_moment_is_told(text: str) -> None:
    """Never as a traceback."""
    with pytest.raises(BadWordsError):
        read_past(text, now=NOW, zone=None)


@pytest.mark.parametrize(
    ("seconds", "words", "brief"),
    [
        (0, "0 seconds", "0 s"),
        (0.0004, "0 seconds", "0 s"),
        (0.0123, "0.012 seconds", "0.012 s"),
        (1, "1 second", "1 s"),
        (1.26, "1.3 seconds", "1.3 s"),
        (9.96, "10 seconds", "10 s"),
        (42.4, "42 seconds", "42 s"),
        (59.6, "1 minute", "1 min"),
        (60, "1 minute", "1 min"),
        (125, "2 minutes 5 seconds", "2 min"),
        (3600, "1 hour", "1 h"),
        (3601, "1 hour", "1 h"),
        (12_000, "3 hours 20 minutes", "3 h"),
        (90_000, "1 day 1 hour", "1 d"),
        (86_400 * 400, "400 days", "400 d"),
        (-1, "0 seconds", "0 s"),
    ],
)
def test_a_duration_is_shown_in_words(seconds: float, words: str, brief: str) -> None:
    """With as much of it as is of interest."""
    assert (words, brief) == (show_duration(seconds), show_briefly(seconds))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "just now"), (-0.5, "just now"), (125, "2 minutes 5 seconds ago"), (-60, "in 1 minute")],
)
def test_a_moment_is_shown_by_its_distance(seconds: float, words: str) -> None:
    """Past or future."""
    assert words == show_distance(NOW - timedelta(seconds=seconds), now=NOW)


def test_a_moment_is_shown_on_the_clock_of_its_reader() -> None:
    """With how long ago it was."""
    assert "2026-11-24 08:58:00 (2 minutes ago)" == show_moment(
        datetime(2026, 11, 24, 11, 58, tzinfo=UTC), now=NOW, zone=CHILE
    )
