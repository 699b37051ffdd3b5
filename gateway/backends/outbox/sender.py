"""What can hand a recorded launch to its broker."""

from collections.abc import Sequence
from typing import Protocol

from gateway.launch.launch import Launch
from gateway.launch.withdrawal import Taking, Withdrawal
from gateway.ports import Revocation


class Sender(Protocol):
    """Hands messages to one broker."""

    name: str
    warnings: tuple[str, ...]

    async def send(self, launch: Launch, *, within_s: float, not_after: float) -> None:
        """Send a launch's message, unless it is later than `not_after` on the monotonic clock.

        Units: the answer comes within `within_s`.
        Raises: BrokerUnavailableError when nothing was sent; UncertainPublishError when that is not known.
        """

    async def withdraw(self, wanted: Sequence[Withdrawal], wish: Revocation) -> dict[str, Taking]:
        """Take the messages of tasks back from the broker, as far as it gives any back.

        Raises: BrokerUnavailableError.
        """

    async def check(self) -> None:
        """Return when the broker answers; raise a BackendError when it does not."""


class SplitSender:
    """Gives each message to the sender that can write it."""

    def __init__(self, plain: Sender, other: Sender) -> None:
        self.name = plain.name
        self.warnings: tuple[str, ...] = ()
        self._plain = plain
        self._other = other

    async def send(self, launch: Launch, *, within_s: float, not_after: float) -> None:
        """Send a launch's message."""
        sender = self._plain if launch.is_plain else self._other
        await sender.send(launch, within_s=within_s, not_after=not_after)

    async def withdraw(self, wanted: Sequence[Withdrawal], wish: Revocation) -> dict[str, Taking]:
        """Take the messages of tasks back, whoever wrote them."""
        return await self._plain.withdraw(wanted, wish)

    async def check(self) -> None:
        """Return when the broker answers."""
        await self._plain.check()
