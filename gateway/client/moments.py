"""Durations and moments, as people type and read them.

What comes in: text, or values; the present moment and the time zone are arguments, a zone of None being the machine's.
What goes out: values, or words.
"""

import re
from datetime import datetime, timedelta, tzinfo

from gateway.client.errors import BadWordsError

_UNITS = (("day", "d", 86_400), ("hour", "h", 3600), ("minute", "min", 60), ("second", "s", 1))
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(min|[smhdw])", re.ASCII)
_DURATION = re.compile(f"(?:{_PART.pattern})+", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,6})?", re.ASCII)
_PARTS = 2
_MINUTE_S = 60


def read_duration(text: str) -> float:
    """Read `90`, `1.5`, `15m` or `1h30m` as seconds.

    Raises: BadWordsError.
    """
    if _NUMBER.fullmatch(text):
        return float(text)
    if not _DURATION.fullmatch(text):
        raise BadWordsError((f"{text[:64]!a} is no duration, as 90, 15m, 1h30m or 2d",))
    return sum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(text))


def read_moment(text: str, *, zone: tzinfo | None) -> datetime:
    """Read a moment of RFC 3339, or a date or a time without an offset, which is one of `zone`.

    Raises: BadWordsError.
    """
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=zone) if zone else moment.astimezone()
    except (ValueError, OverflowError, OSError) as error:
        known = "as 2026-01-31T12:00:00Z, or 2026-01-31 for the start of that day here"
        raise BadWordsError((f"{text[:64]!a} is no moment, {known}",)) from error


def read_past(text: str, *, now: datetime, zone: tzinfo | None) -> datetime:
    """Read a moment, or a duration as so long ago.

    Raises: BadWordsError.
    """
    if _DURATION.fullmatch(text):
        try:
            return now - timedelta(seconds=read_duration(text))
        except OverflowError as error:
            raise BadWordsError((f"{text[:64]!a} is too long ago",)) from error
    return read_moment(text, zone=zone)


def show_duration(seconds: float) -> str:
    """Say a duration in words, with its two largest units."""
    if round(seconds) < _MINUTE_S:
        return f"{_round(seconds)} {'second' if _round(seconds) == '1' else 'seconds'}"
    parts = [f"{count} {name}{'' if count == 1 else 's'}" for count, name, _ in _split(seconds)]
    return " ".join(parts)


def show_briefly(seconds: float) -> str:
    """Say a duration with its largest unit, for the cell of a table."""
    if round(seconds) < _MINUTE_S:
        return f"{_round(seconds)} s"
    count, _, unit = _split(seconds)[0]
    return f"{count} {unit}"


def show_distance(moment: datetime, *, now: datetime) -> str:
    """Say how long ago a moment was, or how far ahead it is."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    return f"{show_duration(round(seconds))} ago" if seconds > 0 else f"in {show_duration(round(-seconds))}"


def show_moment(moment: datetime, *, now: datetime, zone: tzinfo | None) -> str:
    """Say when a moment was, on the clock of `zone`, and how long ago."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S} ({show_distance(moment, now=now)})"


def _split(seconds: float) -> list[tuple[int, str, str]]:
    """Split into the first units that are not zero, from the largest on, without a gap."""
    left = round(seconds)
    parts = []
    for name, unit, size in _UNITS:
        count, left = divmod(left, size)
        parts.append((count, name, unit))
    first = next(index for index, (count, *_) in enumerate(parts) if count)
    return [part for part in parts[first : first + _PARTS] if part[0]]


def _round(seconds: float) -> str:
    """Round to what is of interest: milliseconds below one second, tenths below ten."""
    places = 3 if seconds < 1 else 1 if seconds < 10 else 0  # noqa: PLR2004 - one and ten are the docstring's
    return f"{max(seconds, 0.0):.{places}f}".rstrip("0").rstrip(".") if places else f"{seconds:.0f}"
