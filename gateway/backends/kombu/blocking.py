"""Blocking calls off the event loop: a bounded pool, a deadline, and Kombu's errors translated."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kombu.exceptions import ChannelError

from gateway.errors import BackendError, BrokerUnavailableError

T = TypeVar("T")


class BlockingCalls:
    """Runs blocking calls in at most `size` threads; more than `backlog` calls under way are refused at once."""

    def __init__(self, *, size: int, backlog: int, deadline_s: float, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=size, thread_name_prefix=name)
        self._backlog = backlog
        self._deadline_s = deadline_s
        self._under_way = 0

    async def run(self, call: Callable[[], T], *, when_late: BackendError) -> T:
        """Run a call and return its value.

        Raises: BrokerUnavailableError when it failed, was refused, or had not begun by the deadline; `when_late` when it
            was under way by then; a BackendError of the call's own as it is.
        """
        if self._under_way >= self._backlog:
            raise BrokerUnavailableError("the broker is too slow for the calls that already wait", reason="busy")
        submitted = self._pool.submit(call)
        future = asyncio.wrap_future(submitted)
        self._under_way += 1
        future.add_done_callback(self._finish)
        done, _ = await asyncio.wait([future], timeout=self._deadline_s)
        if not done:
            # Only a call that no thread has taken yet can still be called off.
            raise BrokerUnavailableError("the broker does not answer in time") if submitted.cancel() else when_late
        try:
            return future.result()
        except BackendError:
            raise
        except Exception as error:
            raise blame(error) from error

    def close(self) -> None:
        """Give up the calls that have not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _finish(self, future: "asyncio.Future[T]") -> None:
        self._under_way -= 1
        if not future.cancelled():
            future.exception()  # retrieved: a call that outlived its deadline is no news


def blame(error: Exception) -> BrokerUnavailableError:
    """Say in a few words what ails a broker, without its address or any payload."""
    cause = error.__cause__ or error
    if isinstance(cause, TimeoutError) or "timed out" in str(cause).lower():
        return BrokerUnavailableError("the broker does not answer in time")
    if "ACCESS_REFUSED" in str(cause) or "auth" in type(cause).__name__.lower():
        return BrokerUnavailableError("the broker refuses the password", reason="login")
    if isinstance(cause, OSError) or "connect" in type(cause).__name__.lower():
        return BrokerUnavailableError("the broker cannot be reached")
    if isinstance(cause, ChannelError):
        return BrokerUnavailableError(f"the broker refuses the message ({type(cause).__name__})", reason="refused")
    # Kombu and its transports raise whatever a connection that broke half-way makes them stumble over.
    return BrokerUnavailableError(f"the broker cannot be used ({type(cause).__name__})")
