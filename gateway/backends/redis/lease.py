"""A lease in Redis: one process at a time may do something, for as long as it renews its right.

What comes in: scripts, which `lease.lua` begins. What goes out: their answers, or None while another process holds the
lease. A token that only grows tells a holder from one that slept past its lease.
"""

from typing import Any, Final

from redis.asyncio import Redis

from gateway.backends.redis.scripts import load_script

_BEGINNING: Final = load_script("lease")


class Lease:
    """The right of one process, taken and renewed in the same step as what it is for."""

    def __init__(self, client: Redis, *, key: str, lease_s: float) -> None:
        self.fence: int | None = None
        """The token under which this process last held it; None while another one does."""
        self._client = client
        self._key = key
        self._lease_ms = int(lease_s * 1000)

    async def run(self, script: str, *arguments: bytes | str | int) -> list[Any] | None:
        """Run a script as the holder; None while that is another process.

        Raises: what redis-py raises.
        """
        whole = f"{_BEGINNING}\n{script}"
        answer = await self._client.eval(whole, 0, self._key, self.fence or 0, self._lease_ms, *arguments)
        self.fence = answer[0] if answer else None
        return answer[1:] if answer else None
