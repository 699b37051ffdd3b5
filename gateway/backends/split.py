"""Two ways to one broker: lists in Redis for plain messages, Celery for the rest."""

from collections.abc import Sequence

from gateway.launch.offer import Offer, Outcome
from gateway.launch.withdrawal import Taking, Withdrawal
from gateway.ports import Publisher, Revocation


class SplitPublisher:
    """Gives each launch to the publisher that can write its message."""

    def __init__(self, plain: Publisher, other: Publisher) -> None:
        self._plain = plain
        self._other = other

    async def publish(self, offers: Sequence[Offer], *, all_or_nothing: bool = False) -> list[Outcome]:
        """Publish offers; the outcomes come in their order."""
        is_plain = [offer.launch.is_plain for offer in offers]
        if all(is_plain):
            return await self._plain.publish(offers, all_or_nothing=all_or_nothing)
        if all_or_nothing or not any(is_plain):
            return await self._other.publish(offers, all_or_nothing=all_or_nothing)
        pairs = list(zip(offers, is_plain, strict=True))
        plain = iter(await self._plain.publish([offer for offer, plain in pairs if plain]))
        other = iter(await self._other.publish([offer for offer, plain in pairs if not plain]))
        return [next(plain if each else other) for each in is_plain]

    async def withdraw(self, wanted: Sequence[Withdrawal], wish: Revocation) -> dict[str, Taking]:
        """Take back what waits in the outbox, then what waits in the broker, whoever wrote it."""
        taken = await self._other.withdraw(wanted, wish)
        return taken | await self._plain.withdraw([each for each in wanted if each.task_id not in taken], wish)
