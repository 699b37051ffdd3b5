"""What `launch.lua` is told of each launch, and how its answers are read. Pure.

What comes in: an offer. What goes out: an order, and from the script's answer an outcome.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.backends.redis.message import Lanes, build_message
from gateway.backends.redis.scripts import load_script
from gateway.errors import BrokerUnavailableError, GatewayError, OutboxFullError
from gateway.launch.idempotency import Claim, KeyState
from gateway.launch.launch import Launch, record
from gateway.launch.offer import Held, Known, Limited, Offer, Outcome, Published, QueueFull
from gateway.launch.quota import PARTS, Quota, Room
from gateway.ports import Revocation

SCRIPT: Final = load_script("tell", "revocation", "launch")
REPLACE_SIGNAL: Final = "SIGTERM"
_ENCODER = msgspec.json.Encoder()
_PACKER = msgspec.msgpack.Encoder()

Index = tuple[str, int, str | None, str | None]
"""Task type, longest `keep_s`, batch, root."""


class Order(Struct, frozen=True, array_like=True):
    """One launch as the script takes it. All of it is text, as Redis reads no binary of MessagePack's."""

    task_id: str
    keep_s: int
    list: str | None
    """Where the message goes; None when it leaves the gateway in another way."""
    guards: dict[str, Any] | None
    index: Index
    """Under what the launch is found again."""
    row: str
    message: str

    def __repr__(self) -> str:
        """Name the launch without its message, which holds its params."""
        return f"Order({self.task_id!r})"


class Parking(Struct, frozen=True, kw_only=True):
    """How a launch is kept in the outbox until its broker has confirmed it."""

    hold_ms: int
    """For so long it is in the hands of the gateway that wrote it; then the sweeper takes it."""
    limit: int
    """With so many in the outbox, no more are taken."""


def order_push(offer: Offer, *, prefix: str, lanes: Lanes, origin: str) -> Order:
    """Order a launch whose message goes into its queue in the same step."""
    launch = offer.launch
    guards = _write_guards(offer, prefix=prefix, lanes=lanes)
    list_ = lanes.choose(launch.queue, launch.priority)
    return _write_order(launch, list_, guards, build_message(launch, origin=origin).decode())


def order_record(offer: Offer, *, prefix: str, parking: Parking | None, state: KeyState = "done") -> Order:
    """Order a launch whose message leaves afterwards; without `parking` it is only recorded."""
    launch = offer.launch
    guards = _write_guards(offer, prefix=prefix, lanes=None, state=state) or {"claims": []}
    if parking is not None:
        guards |= {"hold_ms": parking.hold_ms, "outbox_limit": parking.limit}
    return _write_order(launch, None, guards, "" if parking is None else _write(launch))


def read_answer(words: list[Any]) -> Outcome:
    """Read what the script said of one order."""
    word, rest = words[0], words[1:]
    if word == b"done":
        return Published(replaced=tuple(each.decode() for each in rest[0]), rooms=_read_rooms(rest[1]))
    if word == b"known":
        return Known(remembrance=rest[0], number=rest[1])
    if word == b"held":
        return Held(holders=tuple(each.decode() for each in rest))
    if word == b"deep":
        return QueueFull(depth=rest[0])
    if word == b"limited":
        return Limited(number=rest[0], wait_ms=rest[1], rooms=_read_rooms(rest[2]))
    if word == b"backlog":
        return OutboxFullError()
    return BrokerUnavailableError("the broker refuses the message: a key of Redis is of another type")


def _read_rooms(numbers: list[int]) -> tuple[Room, ...]:
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return tuple(Room(remaining=remaining, renews_ms=renews_ms) for remaining, renews_ms in pairs)


def pack_parcels(parcels: list[tuple[bool, list[Order]]]) -> bytes:
    """Write parcels, each whole or not, as the one argument that the script reads them from."""
    return _PACKER.encode(parcels)


def _write_order(launch: Launch, list_: str | None, guards: dict[str, Any] | None, message: str) -> Order:
    root = launch.lineage.root_id if launch.lineage else None
    index = (launch.task_type, max(launch.keep_s, launch.longest_keep_s), launch.batch_id, root)
    return Order(launch.task_id, launch.keep_s, list_, guards, index, _write(record(launch)), message)


def _write(value: Struct) -> str:
    return _ENCODER.encode(value).decode()


def _write_guards(offer: Offer, *, prefix: str, lanes: Lanes | None, state: KeyState = "done") -> dict[str, Any] | None:
    launch = offer.launch
    if not offer.claims and launch.slot is None and launch.max_queued is None and not launch.quotas:
        return None
    guards: dict[str, Any] = {"claims": [_write_claim(each, state, prefix=prefix) for each in offer.claims]}
    if launch.max_queued is not None and lanes is not None:
        guards |= {"max_queued": launch.max_queued, "lists": lanes.list_all(launch.queue)}
    if launch.slot is not None:
        guards["slot"] = _write_slot(offer, launch, prefix=prefix)
    if launch.quotas:
        guards["quotas"] = [_write_quota(each, prefix=prefix) for each in launch.quotas]
    return guards


def _write_quota(quota: Quota, *, prefix: str) -> tuple[str, int, int]:
    return rate_key(prefix, quota), quota.rate.count, 1000 * quota.rate.period_s // PARTS


def rate_key(prefix: str, quota: Quota) -> str:
    """Return the key under which it is counted how much of a quota was used."""
    return f"{prefix}rate:{quota.key}"


def _write_claim(claim: Claim, state: KeyState, *, prefix: str) -> dict[str, Any]:
    return {
        "key": f"{prefix}key:{claim.key_digest}",
        "value": claim.encode(state).decode(),
        "keep_s": claim.keep_s,
        "is_forced": claim.is_forced,
    }


def _write_slot(offer: Offer, launch: Launch, *, prefix: str) -> dict[str, Any]:
    slot = launch.slot
    if slot is None:
        raise GatewayError("the launch needs no slot")
    delay_s = (launch.eta - launch.launched_at).total_seconds() if launch.eta else 0.0
    revocation = Revocation(requested_at=launch.launched_at, terminate=True, signal=REPLACE_SIGNAL)
    return {
        "key": f"{prefix}slot:{slot.name}",
        "limit": slot.limit,
        "may_replace": offer.may_replace and slot.on_conflict == "replace",
        "lease_ms": int(1000 * (slot.lease_s + max(0.0, delay_s))),
        "finished": offer.finished,
        "revocation": _write(revocation),
        "moment": msgspec.to_builtins(launch.launched_at),
    }
