"""Blocking calls off the event loop: a bounded pool, a deadline, and one translation of whatever they raise."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gateway.errors import BackendError, Reason

T = TypeVar("T")


class BlockingCalls:
    """Runs blocking calls in at most `size` threads; more than `backlog` calls under way are refused at once."""

    def __init__(
        self,
        *,
        size: int,
        backlog: int,
        deadline_s: float,
        name: str,
        what: str,
        error: type[BackendError],
        blame: Callable[[Exception], BackendError],
    ) -> None:
        """`what` is called, as "the broker", is blamed with `error`; `blame` translates what a call raises."""
        self._pool = ThreadPoolExecutor(max_workers=size, thread_name_prefix=name)
        self._backlog = backlog
        self._deadline_s = deadline_s
        self._what = what
        self._error = error
        self._blame = blame
        self._under_way = 0

    async def run(
        self, call: Callable[[], T], *, when_late: BackendError | None = None, within_s: float | None = None
    ) -> T:
        """Run a call and return its value; `within_s` is for one whose deadline is nearer.

        Raises: the pool's own error when it failed, was refused, or had not begun by the deadline; `when_late`, or again
            the pool's own, when it was under way by then; a BackendError of the call's own as it is.
        """
        if self._under_way >= self._backlog:
            raise self._complain("is too slow for the calls that already wait", reason="busy")
        submitted = self._pool.submit(call)
        future = asyncio.wrap_future(submitted)
        self._under_way += 1
        future.add_done_callback(self._finish)
        done, _ = await asyncio.wait([future], timeout=self._deadline_s if within_s is None else within_s)
        if not done:
            # Only a call that no thread has taken yet can still be called off.
            is_called_off = submitted.cancel()
            late = self._complain("does not answer in time")
            raise late if is_called_off or when_late is None else when_late
        try:
            return future.result()
        except BackendError:
            raise
        except Exception as error:
            raise self._blame(error) from error

    def close(self) -> None:
        """Give up the calls that have not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _complain(self, ailment: str, *, reason: Reason = "unavailable") -> BackendError:
        return self._error(f"{self._what} {ailment}", reason=reason)

    def _finish(self, future: "asyncio.Future[T]") -> None:
        self._under_way -= 1
        if not future.cancelled():
            future.exception()  # retrieved: a call that outlived its deadline is no news
