"""Sabotage: a gateway that records each launch, sends all messages but one in DROP_EVERY, and does not look after those it lost.

`python -m tests.faults.dropping serve …`
"""

import asyncio
import os
from itertools import count

from gateway.__main__ import main
from gateway.backends.redis.message import Lanes
from gateway.flows.reconciling import Reconciler

_EVERY = int(os.environ.get("DROP_EVERY", "1000"))
_numbers = count(1)
_choose = Lanes.choose


def _choose_or_drop(lanes: Lanes, queue: str, priority: int) -> str | None:
    return None if next(_numbers) % _EVERY == 0 else _choose(lanes, queue, priority)


async def _do_nothing(_: Reconciler) -> None:
    await asyncio.Event().wait()


if __name__ == "__main__":
    Lanes.choose = _choose_or_drop  # type: ignore[method-assign, assignment]
    Reconciler.run = _do_nothing  # type: ignore[method-assign]
    main()
