"""Group commit: all launches that arrive while Redis is busy with some share the next round trip.

What comes in: parcels of orders, any number at once. What goes out: one run of `launch.lua` at a time, and for each order
an outcome. It must never answer before Redis has, and never say that nothing happened when something may have.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any

import redis.exceptions
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from gateway.backends.redis.connection import blame
from gateway.backends.redis.orders import SCRIPT, Order, pack_parcels, read_answer
from gateway.backends.redis.script import Script
from gateway.backends.redis.sharing import take_together
from gateway.errors import BackendError, UncertainPublishError
from gateway.killpoints import reach
from gateway.launch.offer import PUBLISHED, Outcome, Withheld

MAX_SHARING = 512
"""Launches in one round trip: some 600 KiB, a few milliseconds of Redis."""
_TRANSPORT_ERRORS = (RedisError, OSError, TimeoutError)


class Parcel(Struct, eq=False):
    """Orders that are sent together, and who waits for them."""

    orders: list[Order]
    is_whole: bool
    """All or none."""
    due: float
    """When whoever waits must have an answer, by the loop's clock."""
    done: asyncio.Future[list[Outcome]]


class GroupCommit:
    """Runs orders in Redis."""

    def __init__(
        self, client: Redis, *, prefix: str, deadline_s: float, failure: type[BackendError], what: str
    ) -> None:
        """Take the client of one Redis; a certain failure of it is a `failure` of `what`."""
        self._script = Script(client, SCRIPT)
        self._prefix = prefix
        self._deadline_s = deadline_s
        self._failure = failure
        self._what = what
        self._loop: asyncio.AbstractEventLoop | None = None
        """The one loop of the process: to ask for it takes a system call."""
        self._waiting: deque[Parcel] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def run(self, orders: list[Order], *, is_whole: bool = False) -> list[Outcome]:
        """Run orders; the outcomes come in their order, failures among them."""
        loop = self._loop = self._loop or asyncio.get_running_loop()
        parcel = Parcel(orders, is_whole, loop.time() + self._deadline_s, loop.create_future())
        self._waiting.append(parcel)
        if self._sending is None or self._sending.done():
            self._sending = loop.create_task(self._send_all())
        return await parcel.done

    async def _send_all(self) -> None:
        while self._waiting:
            parcels = take_together(self._waiting, _count_orders, most=MAX_SHARING)
            try:
                await self._send(parcels)
            finally:  # whatever happened, whoever waits is told
                _give_up(parcel for parcel in parcels if not parcel.done.done())

    async def _send(self, parcels: list[Parcel]) -> None:
        """Settle every parcel, before its time is over."""
        is_sent = False
        try:
            async with asyncio.timeout_at(parcels[0].due):
                await self._script.connect()
                reach("before_commit")
                is_sent = True  # from here on a lost answer is uncertain
                packed = pack_parcels([(parcel.is_whole, parcel.orders) for parcel in parcels])
                answers = await self._script.run(self._prefix, packed)
                reach("committed")
        except ResponseError as error:  # Redis refused the script, and has written nothing
            self._refuse(parcels, error)
        except _TRANSPORT_ERRORS as error:
            self._fail(parcels, error, is_sent=is_sent)
        else:
            _settle(parcels, answers)

    def _refuse(self, parcels: list[Parcel], error: Exception) -> None:
        refusal = blame(error, to=self._failure, what=self._what)
        for parcel in parcels:
            _resolve(parcel, [refusal for _ in parcel.orders])

    def _fail(self, parcels: list[Parcel], error: Exception, *, is_sent: bool) -> None:
        if not is_sent:
            self._refuse(parcels, error)
        else:
            _give_up(parcels)
        if isinstance(error, TimeoutError | redis.exceptions.TimeoutError):
            # Those behind a Redis that froze: certainly unpublished now beats uncertain later.
            self._refuse(list(self._waiting), error)
            self._waiting.clear()


def _count_orders(parcel: Parcel) -> int:
    return len(parcel.orders)


def _settle(parcels: list[Parcel], answers: list[list[Any]]) -> None:
    """Give every parcel its outcomes; the answers tell of the exceptional ones."""
    outcomes: list[list[Outcome]] = [[PUBLISHED] * len(parcel.orders) for parcel in parcels]
    for number, index, *words in answers:
        outcomes[number][index] = read_answer(words)
    for parcel, found in zip(parcels, outcomes, strict=True):
        is_withheld = parcel.is_whole and any(type(each) is not type(PUBLISHED) for each in found)
        _resolve(parcel, [Withheld() if each is PUBLISHED else each for each in found] if is_withheld else found)


def _give_up(parcels: Iterable[Parcel]) -> None:
    """Say of parcels that nobody knows what became of them."""
    for parcel in parcels:
        _resolve(parcel, [UncertainPublishError(order.task_id) for order in parcel.orders])


def _resolve(parcel: Parcel, outcomes: list[Outcome]) -> None:
    if not parcel.done.done():  # whoever waited may have gone
        parcel.done.set_result(outcomes)
