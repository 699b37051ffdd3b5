"""The outbox in the ledger's Redis.

Keys, behind the configured prefix: `outbox` the ids of parked launches by the moment (milliseconds of Redis's clock) from
which the sweeper may take them; `outbox:<id>` the launch, which expires with its row; `sweeper` the lease of the one that
sweeps.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.resources import files
from typing import Final

import msgspec
from redis.asyncio import Redis

from gateway.backends.redis.commit import GroupCommit
from gateway.backends.redis.connection import guarded
from gateway.backends.redis.keys import entry_key, total_field
from gateway.backends.redis.lease import Lease
from gateway.backends.redis.orders import Parking, order_record, rate_key
from gateway.backends.redis.scripts import load_script
from gateway.backends.redis.withdrawal import write_moment
from gateway.errors import LedgerUnavailableError
from gateway.launch.idempotency import KeyState
from gateway.launch.launch import Launch
from gateway.launch.offer import Offer, Outcome
from gateway.launch.withdrawal import Taking
from gateway.ports import Revocation

DEADLINES_HELD: Final = 5
"""For so many deadlines after it was taken in hand a parked launch is left to whoever took it; the sweeper's lease is as
long. Half of them to begin a send, one to end it, and the rest in reserve."""
UNPARK: Final = "\n".join(
    (load_script("tell", "revocation"), files(__package__).joinpath("unpark.lua").read_text(encoding="utf-8"))
)
REVOKE: Final = load_script("tell", "revocation", "revoke")
GIVE_BACK: Final = files(__package__).joinpath("give_back.lua").read_text(encoding="utf-8")
SWEEP: Final = files(__package__).joinpath("sweep.lua").read_text(encoding="utf-8")
_LAUNCH = msgspec.json.Decoder(Launch)


class OutboxStore:
    """Rows, parked messages and the sweeper's lease."""

    def __init__(self, client: Redis, *, prefix: str, deadline_s: float) -> None:
        self._client = client
        self._prefix = prefix
        self.deadline_s = deadline_s
        self.hold_s = deadline_s * DEADLINES_HELD
        self.lease = Lease(client, key=f"{prefix}sweeper", lease_s=self.hold_s)
        self._commit = GroupCommit(
            client, prefix=prefix, deadline_s=deadline_s, failure=LedgerUnavailableError, what="the ledger"
        )

    async def record(
        self, offers: Sequence[Offer], *, park: Callable[[Launch], Parking | None], all_or_nothing: bool
    ) -> list[Outcome]:
        """Record offers, and park those that may wait; the key of one that may not is pending until it is settled."""
        orders = []
        for offer in offers:
            parking = park(offer.launch)
            state: KeyState = "done" if parking else "pending"
            orders.append(order_record(offer, prefix=self._prefix, parking=parking, state=state))
        return await self._commit.run(orders, is_whole=all_or_nothing)

    async def clear(self, task_id: str) -> None:
        """Take a launch out of the outbox: the broker has it."""
        async with self._guarded(), self._client.pipeline() as pipeline:
            pipeline.zrem(f"{self._prefix}outbox", task_id)
            pipeline.delete(self._parked_key(task_id))
            await pipeline.execute()

    async def release(self, task_id: str) -> None:
        """Let the sweeper take a launch at once: the broker surely does not have it."""
        async with self._guarded():
            await self._client.zadd(f"{self._prefix}outbox", {task_id: 0}, xx=True)

    async def unpark(self, task_ids: Sequence[str], wish: Revocation) -> list[str]:
        """Take launches out of the outbox; return those that the broker surely never had, which are noted as revoked."""
        async with self._guarded():
            answer = await self._client.eval(
                UNPARK, 0, self._prefix, msgspec.json.encode(wish), write_moment(), *task_ids
            )
        return [each.decode() for each in answer]

    async def note_taken(self, taken: Mapping[str, Taking], wish: Revocation) -> None:
        """Note which messages were taken back from the broker."""
        words: list[str] = [word for pair in taken.items() for word in pair]
        async with self._guarded():
            await self._client.eval(REVOKE, 0, self._prefix, msgspec.json.encode(wish), write_moment(), *words)

    async def settle(self, offer: Offer, state: KeyState) -> None:
        """Write down what became of a launch that could not be parked."""
        async with self._guarded(), self._client.pipeline() as pipeline:
            for claim in offer.claims:
                pipeline.set(self._claim_key(claim.key_digest), claim.encode(state), ex=claim.keep_s)
            await pipeline.execute()

    async def forget(self, offer: Offer) -> None:
        """Take back all that was written of a launch that the broker refused."""
        launch = offer.launch
        async with self._guarded(), self._client.pipeline() as pipeline:
            pipeline.zrem(f"{self._prefix}outbox", launch.task_id)
            pipeline.zrem(f"{self._prefix}open", launch.task_id)
            pipeline.hincrby(f"{self._prefix}totals", total_field(launch.task_type), -1)
            pipeline.delete(entry_key(self._prefix, launch.task_id), self._parked_key(launch.task_id))
            for claim in offer.claims:
                pipeline.delete(self._claim_key(claim.key_digest))
            if launch.slot is not None:
                pipeline.zrem(f"{self._prefix}slot:{launch.slot.name}", launch.task_id)
            for quota in launch.quotas:
                pipeline.eval(GIVE_BACK, 1, rate_key(self._prefix, quota))
            await pipeline.execute()

    async def take(self, *, count: int) -> tuple[Launch, ...]:
        """Take the launches that are due; none while another process sweeps."""
        async with self._guarded():
            parked = await self.lease.run(SWEEP, self._prefix, int(self.hold_s * 1000), count)
        return tuple(_LAUNCH.decode(each) for each in parked or ())

    def _claim_key(self, digest: str) -> str:
        return f"{self._prefix}key:{digest}"

    def _parked_key(self, task_id: str) -> str:
        return f"{self._prefix}outbox:{task_id}"

    def _guarded(self) -> AbstractAsyncContextManager[None]:
        return guarded(LedgerUnavailableError, "the ledger", deadline_s=self.deadline_s)
