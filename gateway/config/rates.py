"""Rates, as `60/m`: so many in any such time."""

from typing import Annotated, Final

from msgspec import Meta, Struct

PERIODS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
RateText = Annotated[
    str,
    Meta(pattern=r"^[1-9][0-9]{0,8}/[smhd]$", title="a rate, as 60/m: a count, and per s, m, h or d"),
]


class Rate(Struct, frozen=True):
    """So many in any time of this length."""

    count: int
    period_s: int

    def __str__(self) -> str:
        """Write it as the file does."""
        unit = next(unit for unit, period_s in PERIODS_S.items() if period_s == self.period_s)
        return f"{self.count}/{unit}"


def read_rate(text: str) -> Rate:
    """Read what fits `RateText`."""
    count, _, unit = text.partition("/")
    return Rate(int(count), PERIODS_S[unit])
