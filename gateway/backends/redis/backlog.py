"""How much the ledger still waits for."""

from gateway.backends.redis.trips import SharedTrips, await_ledger


class RedisBacklog:
    """Measures the outbox and the open tasks."""

    def __init__(self, trips: SharedTrips, *, prefix: str) -> None:
        self._trips = trips
        self._commands = (("ZCARD", f"{prefix}outbox"), ("ZCARD", f"{prefix}open"))

    async def measure(self) -> tuple[int, int]:
        """Return how many launches are parked, and of how many tasks nobody has seen the end."""
        parked, unended = await await_ledger(self._trips.ask(*self._commands))
        return parked, unended
