"""The reconciler over memory: what it looks at, how long it waits, and what it does about a lost task."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
import structlog.testing

from gateway.backends.memory import MemoryBackend
from gateway.errors import BrokerUnavailableError
from gateway.flows.reconciling import Reconciler
from gateway.launch.launch import Launch
from gateway.launch.offer import Offer
from gateway.metrics.cells import Cells
from gateway.metrics.meter import Meter
from gateway.metrics.sums import Sums
from gateway.ports import End, Missing, MissingSlice, WorkersView, WorkerView
from tests.backends.test_message import make_launch
from tests.services import make_services

ID = "01890000-0000-7000-8000-000000000001"


class FakeDeliveries:
    """A broker of which a test says what is missing; the workers that it knows have the kit."""

    def __init__(self) -> None:
        self.missing: list[str] = [ID]
        self.is_mine = True
        self.is_away = False
        self.elsewhere: frozenset[str] = frozenset()
        self.sent: list[str] = []
        self.ends: list[End] = []

    async def find_missing(self, after: str, *, count: int) -> MissingSlice | None:  # noqa: ARG002 - it is all one slice
        """Return what is missing."""
        if self.is_away:
            raise BrokerUnavailableError("away")
        if not self.is_mine:
            return None
        missing = tuple(Missing(task_id=each) for each in self.missing)
        return MissingSlice(missing=missing, following="", exact=frozenset({"w"}), known=frozenset())

    async def look_again(self, task_ids: Sequence[str]) -> list[Missing]:
        """Return what is missing still."""
        return [Missing(task_id=each) for each in task_ids if each in self.missing]

    async def search(self, queues: Mapping[str, str]) -> frozenset[str]:  # noqa: ARG002 - what it finds is told
        """Return what is elsewhere."""
        return self.elsewhere

    async def redeliver(self, launch: Launch, *, retries: int) -> bool:  # noqa: ARG002 - no worker has told any
        """Note a message."""
        self.sent.append(launch.task_id)
        return True

    async def conclude(self, launch: Launch, end: End) -> bool:  # noqa: ARG002 - there is one task
        """Note an end."""
        self.ends.append(end)
        return True


class Bench:
    """A reconciler whose clock a test turns."""

    def __init__(self) -> None:
        self.backend, self.deliveries, self.now_s = MemoryBackend(), FakeDeliveries(), 0.0
        self.look()
        self.meter = Meter(Cells())
        services = make_services(self.backend, tally=self.meter)
        self.reconciler = Reconciler(self.deliveries, services, answer_period_s=1, clock_s=lambda: self.now_s)

    def look(self) -> None:
        """Look at the workers: there is one, of the task's queue."""
        workers = {"w": WorkerView(queues=("compared",))}
        self.backend.workers_view = WorkersView(workers=workers, queues={}, as_of=datetime.now(UTC))

    async def launch(self, **changes: object) -> None:
        """Launch a task."""
        await self.backend.publish([Offer(launch=make_launch(task_id=ID, **changes))])

    def count(self) -> dict[str, float]:
        """Return what was counted of lost tasks and of ends."""
        wanted = {"gateway_redeliveries", "gateway_given_up", "gateway_finished"}
        counted = Sums().add_up(self.meter.cells.read())
        return {" ".join((name, *labels)): row[0] for name in wanted for labels, row in counted[name].items()}

    async def sweep(self, *at_s: float) -> None:
        """Sweep at moments."""
        for self.now_s in at_s:
            await self.reconciler.sweep()


@pytest.fixture
def bench() -> Bench:
    """Nothing has happened."""
    return Bench()


async def test_a_lost_task_is_sent_again_after_its_time(bench: Bench) -> None:
    """And not before; the log says so."""
    await bench.launch(reconcile_after_s=5)

    await bench.sweep(0, 2, 4.9)
    before = list(bench.deliveries.sent)
    with structlog.testing.capture_logs() as logs:
        await bench.sweep(6)

    assert ([], [ID]) == (before, bench.deliveries.sent)
    assert ["task_redelivered"] == [each["event"] for each in logs]
    assert {"gateway_redeliveries": 1, "gateway_given_up": 0} == bench.count()


async def test_one_that_is_found_is_left_alone_and_searched_for_less_and_less(bench: Bench) -> None:
    """A search looks at all messages: a retry that waits for an hour is not searched for every second."""
    await bench.launch()
    bench.deliveries.elsewhere = frozenset({ID})
    searches: list[float] = []
    search = bench.deliveries.search

    async def count(queues: Mapping[str, str]) -> frozenset[str]:
        searches.append(bench.now_s)
        return await search(queues)

    bench.deliveries.search = count  # type: ignore[method-assign]
    await bench.sweep(*range(600))

    assert [] == bench.deliveries.sent
    assert 8 < len(searches) < 20


async def test_one_that_comes_back_starts_anew(bench: Bench) -> None:
    """Missing is counted from the last time it was seen."""
    await bench.launch(reconcile_after_s=5)
    await bench.sweep(0)
    bench.deliveries.missing = []
    await bench.sweep(2)
    bench.deliveries.missing = [ID]

    await bench.sweep(3, 6)

    assert [] == bench.deliveries.sent


async def test_one_that_runs_at_most_once_ends_as_unknown(bench: Bench) -> None:
    """With the reason."""
    await bench.launch(delivery="at_most_once", reconcile_after_s=5)

    await bench.sweep(0, 6)

    assert ([], ["UNKNOWN"]) == (bench.deliveries.sent, [each.status for each in bench.deliveries.ends])
    assert {
        "gateway_redeliveries": 0,
        "gateway_given_up": 1,
        f"gateway_finished {make_launch().task_type} UNKNOWN": 1,
    } == bench.count()


async def test_another_gateway_looks_after_them(bench: Bench) -> None:
    """What this one knew is forgotten: it may be old when its turn comes."""
    await bench.launch(reconcile_after_s=5)
    await bench.sweep(0)
    bench.deliveries.is_mine = False
    await bench.sweep(6)
    bench.deliveries.is_mine = True

    await bench.sweep(7)

    assert [] == bench.deliveries.sent


async def test_a_task_whose_row_has_expired_is_forgotten(bench: Bench) -> None:
    """There is nothing to send."""
    await bench.sweep(0, 20)

    assert [] == bench.deliveries.sent


async def test_an_outage_is_logged_once(bench: Bench) -> None:
    """And does not end the reconciler."""
    bench.deliveries.is_away = True

    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await bench.reconciler._try()

    assert [("reconciling_failed", "broker_unavailable")] == [(each["event"], each["code"]) for each in logs]
