"""A client's own balancer over gateways: it watches their readiness, and tries nothing twice."""

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import httpx

from tests.harness import wait_for

LOOK_S = 0.1


class Balancer:
    """Knows which gateways are ready, by a look at each ten times a second."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.urls = urls
        self._ready: tuple[str, ...] = ()
        self._turn = itertools.count()
        self._stopped = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look until the block ends."""
        thread = threading.Thread(target=self._look_on)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()

    def pick(self) -> str:
        """Return the next of those that are ready."""
        ready = wait_for("a gateway that is ready", lambda: self._ready)
        return ready[next(self._turn) % len(ready)]

    def wait_for_ready(self, *urls: str) -> None:
        """Wait until exactly these gateways are ready."""
        wait_for(f"{', '.join(urls)} to be ready", lambda: set(urls) == set(self._ready))

    def _look_on(self) -> None:
        with httpx.Client(timeout=1) as http:
            while not self._stopped.wait(LOOK_S):
                self._ready = tuple(url for url in self.urls if _is_ready(http, url))


def _is_ready(http: httpx.Client, url: str) -> bool:
    with suppress(httpx.TransportError):
        return http.get(f"{url}/health/ready").status_code == 200
    return False
