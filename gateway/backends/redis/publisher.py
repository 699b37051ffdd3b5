"""Publishing to Redis: ledger row and message in one transaction, shared by all launches of a round trip.

What comes in: launches, any number at once. What goes out: one MULTI … EXEC at a time; the launches that
arrive while one is under way share the next. It must never answer before Redis has.
"""

import asyncio
from collections import deque
from typing import Any, TypeGuard

import msgspec
import redis.exceptions
from msgspec import Struct
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from gateway.backends.redis.connection import explain, guarded
from gateway.backends.redis.ledger import entry_key
from gateway.backends.redis.message import build_message, choose_list
from gateway.errors import BrokerUnavailableError, UncertainPublishError
from gateway.launch.idempotency import KEEP_S, Claim
from gateway.launch.launch import Launch, record

MAX_SHARING = 512
"""Launches in one transaction: some 400 KiB, a few milliseconds of Redis."""
_TRANSPORT_ERRORS = (RedisError, OSError, TimeoutError)

Command = tuple[str | bytes | int, ...]
Refused = dict[str, BrokerUnavailableError | UncertainPublishError]
CLAIM_AND_PUBLISH = """
local known = redis.call('GET', KEYS[1])
if known then return known end
redis.call('LPUSH', KEYS[3], ARGV[5])
redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[4])
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return false
"""
"""Keys: the idempotency key, the ledger row, the queue. The push comes first, as it alone can fail."""


class Waiting(Struct, eq=False):
    """One launch on its way to Redis."""

    task_id: str
    row: Command | None
    queue_list: str
    message: bytes
    done: asyncio.Future[bytes | None]
    claim: Command | None = None
    """The one command that does it all, if the key is free."""
    is_sent: bool = False


class RedisPublisher:
    """Publishes to a Redis broker; records the ledger row too when both are one Redis."""

    def __init__(
        self, client: Redis, *, ledger_prefix: str | None, key_prefix: str, origin: str, deadline_s: float
    ) -> None:
        """Take a client of the broker; `ledger_prefix` is None when the ledger is elsewhere."""
        self.name = "broker"
        self.warnings: tuple[str, ...] = ()
        self._client = client
        self._ledger_prefix = ledger_prefix
        self._key_prefix = key_prefix
        self._origin = origin
        self._deadline_s = deadline_s
        self._waiting: deque[Waiting] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def publish(self, launch: Launch, claim: Claim | None = None) -> bytes | None:
        """Record and publish, if a claimed key is free.

        Raises: BrokerUnavailableError when nothing was left behind; UncertainPublishError when the connection
            broke between the command and its answer.
        """
        waiting = self._write(launch, claim)
        self._waiting.append(waiting)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_all())
        try:
            async with asyncio.timeout(self._deadline_s):
                return await waiting.done
        except TimeoutError as error:
            raise self._give_up(waiting) from error

    async def check(self) -> None:
        """Return when the broker answers."""
        async with guarded(BrokerUnavailableError, "the broker", deadline_s=self._deadline_s):
            await self._client.ping()

    def _write(self, launch: Launch, claim: Claim | None) -> Waiting:
        row: Command | None = None
        if self._ledger_prefix is not None:
            entry = msgspec.json.encode(record(launch))
            row = ("SET", entry_key(self._ledger_prefix, launch.task_id), entry, "EX", launch.keep_s)
        waiting = Waiting(
            task_id=launch.task_id,
            row=row,
            queue_list=choose_list(launch.queue, launch.priority, key_prefix=self._key_prefix),
            # Kombu only asks of a delivery tag that it be unique; the task id is.
            message=build_message(launch, origin=self._origin, delivery_tag=launch.task_id),
            done=asyncio.get_running_loop().create_future(),
        )
        if claim is not None and row is not None:
            keys = (f"{self._ledger_prefix}key:{claim.key_digest}", row[1], waiting.queue_list)
            waiting.claim = (
                "EVAL",
                CLAIM_AND_PUBLISH,
                3,
                *keys,
                claim.encode(),
                KEEP_S,
                row[2],
                row[4],
                waiting.message,
            )
        return waiting

    def _give_up(self, waiting: Waiting) -> BrokerUnavailableError | UncertainPublishError:
        if waiting.is_sent:
            return UncertainPublishError(waiting.task_id)
        if waiting in self._waiting:
            self._waiting.remove(waiting)
        return BrokerUnavailableError("the broker does not answer in time")

    def _turn_away(self) -> None:
        """Refuse those behind a broker that froze: certainly unpublished now beats uncertain later."""
        _settle(list(self._waiting), BrokerUnavailableError("the broker does not answer in time"))
        self._waiting.clear()

    async def _send_all(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_SHARING))]
            await self._send(batch)

    async def _send(self, batch: list[Waiting]) -> None:
        pool = self._client.connection_pool
        try:
            connection = await pool.get_connection()  # type: ignore[no-untyped-call] # redis-py left it out
        except _TRANSPORT_ERRORS as error:
            _settle(batch, BrokerUnavailableError(f"the broker {explain(error)}"))
            return
        for waiting in batch:
            waiting.is_sent = True  # from here on a lost answer is uncertain
        try:
            refused, known = await _commit(connection, batch)
        except _TRANSPORT_ERRORS as error:
            await connection.disconnect(nowait=True)
            refused, known = {waiting.task_id: UncertainPublishError(waiting.task_id) for waiting in batch}, {}
            if isinstance(error, TimeoutError | redis.exceptions.TimeoutError):
                self._turn_away()
        finally:
            await pool.release(connection)
        for waiting in batch:
            _settle([waiting], refused.get(waiting.task_id), known.get(waiting.task_id))


def _settle(batch: list[Waiting], error: Exception | None, known: bytes | None = None) -> None:
    for waiting in batch:
        if waiting.done.done():
            continue
        if error is None:
            waiting.done.set_result(known)
        else:
            waiting.done.set_exception(error)


async def _commit(connection: AbstractConnection, batch: list[Waiting]) -> tuple[Refused, dict[str, bytes]]:
    """Send one transaction and read its answer; return the launches that it refused, and the keys that were not free.

    Raises: a transport error of redis-py when it is not known what Redis did.
    """
    claims = [waiting for waiting in batch if waiting.claim is not None]
    plain = [waiting for waiting in batch if waiting.claim is None]
    by_list: dict[str, list[Waiting]] = {}
    for waiting in plain:
        by_list.setdefault(waiting.queue_list, []).append(waiting)
    rows = [waiting.row for waiting in plain if waiting.row is not None]
    pushes: list[Command] = [("LPUSH", name, *(each.message for each in group)) for name, group in by_list.items()]
    outcome = await _transact(connection, [*rows, *pushes, *(each.claim for each in claims if each.claim is not None)])
    if isinstance(outcome, ResponseError):
        refusal = BrokerUnavailableError(f"the broker {explain(outcome)}")
        return {waiting.task_id: refusal for waiting in batch}, {}
    pushed, claimed = outcome[len(rows) : len(rows) + len(pushes)], outcome[len(rows) + len(pushes) :]
    failed = [(reply, group) for reply, group in zip(pushed, by_list.values(), strict=True) if _is_error(reply)]
    refused = await _take_back(connection, failed)
    # A script that failed has written nothing: its first command is the one that can.
    refused |= {
        waiting.task_id: BrokerUnavailableError(f"the broker {explain(reply)}")
        for waiting, reply in zip(claims, claimed, strict=True)
        if isinstance(reply, ResponseError)
    }
    known = {waiting.task_id: reply for waiting, reply in zip(claims, claimed, strict=True) if isinstance(reply, bytes)}
    return refused, known


def _is_error(reply: object) -> TypeGuard[ResponseError]:
    return isinstance(reply, ResponseError)


async def _take_back(connection: AbstractConnection, failed: list[tuple[Any, list[Waiting]]]) -> Refused:
    """Remove the rows of launches whose LPUSH failed inside the transaction: the queue's key holds no list."""
    refused: Refused = {}
    for reply, group in failed:
        keys = [waiting.row[1] for waiting in group if waiting.row is not None]
        if keys:
            await _transact(connection, [("DEL", *keys)])
        error = BrokerUnavailableError(f"the broker {explain(reply)}")
        refused |= {waiting.task_id: error for waiting in group}
    return refused


async def _transact(connection: AbstractConnection, commands: list[Command]) -> list[object] | ResponseError:
    """Run commands in MULTI … EXEC; return their replies, or the error for which none of them was run."""
    packed = connection.pack_commands([("MULTI",), *commands, ("EXEC",)])
    await connection.send_packed_command(packed)
    replies: list[object] = []
    for _ in range(len(commands) + 2):
        try:
            replies.append(await connection.read_response())
        except ResponseError as error:
            replies.append(error)
    outcome = replies[-1]
    if isinstance(outcome, list):
        return outcome
    return next((reply for reply in replies if isinstance(reply, ResponseError)), ResponseError("EXEC gave nothing"))
