"""The settler over the memory backend: what it writes down, and what it leaves alone."""

import json

import pytest
import structlog.testing

from gateway.backends.memory import MemoryBackend
from gateway.backends.memory_index import MemoryOpenTasks
from gateway.errors import BackendError, ResultsUnavailableError
from gateway.flows.looking import BRIEF_BYTES
from gateway.flows.settling import EVERY_S, SLICE, Settler
from gateway.launch.offer import Offer
from gateway.ports import Slice
from tests.backends.test_message import make_launch
from tests.services import make_services


@pytest.fixture
def backend() -> MemoryBackend:
    """Everything the gateway stands on."""
    return MemoryBackend()


def make_settler(backend: MemoryBackend) -> Settler:
    """Make a settler of all that is in memory."""
    return Settler(MemoryOpenTasks(backend), make_services(backend))


async def launch(backend: MemoryBackend, count: int = 1) -> list[str]:
    """Launch tasks; return their ids."""
    ids = [f"01890000-0000-7000-8000-{number:012x}" for number in range(count)]
    await backend.publish([Offer(launch=make_launch(task_id=each)) for each in ids])
    return ids


def say(backend: MemoryBackend, task_id: str, status: str, result: object = None) -> None:
    """Write a record as a worker would."""
    record = {"status": status, "result": result, "date_done": "2026-11-24T10:00:01+00:00", "worker": "w@host"}
    backend.records[task_id] = json.dumps(record).encode()


async def test_an_end_is_learned_though_nobody_asks(backend: MemoryBackend) -> None:
    """With all that outlives the result: when, by whom, and why it failed."""
    done, failed, waiting = await launch(backend, 3)
    say(backend, done, "SUCCESS", 42)
    say(backend, failed, "FAILURE", {"exc_type": "ValueError", "exc_message": ["no"], "exc_module": "builtins"})

    await make_settler(backend).settle()
    ends = [backend.rows[each].end for each in (done, failed, waiting)]

    assert ends[0] is not None
    assert ends[1] is not None
    assert ("SUCCESS", "w@host", 2026) == (
        ends[0].status,
        ends[0].worker,
        ends[0].finished_at and ends[0].finished_at.year,
    )
    assert ("FAILURE", "ValueError", "no") == (
        ends[1].status,
        *(ends[1].error and (ends[1].error.type, ends[1].error.message)),
    )
    assert ends[2] is None


@pytest.mark.parametrize("status", ["SUCCESS", "FAILURE"])
async def test_a_large_record_is_read_as_far_as_its_end_needs(backend: MemoryBackend, status: str) -> None:
    """A result is not read at all; the words of an error are."""
    [task_id] = await launch(backend)
    say(backend, task_id, status, {"exc_type": "E", "exc_message": ["why"], "padding": "x" * BRIEF_BYTES})

    await make_settler(backend).settle()
    end = backend.rows[task_id].end

    assert end is not None
    assert (status, "w@host") == (end.status, end.worker)
    assert ("why" if status == "FAILURE" else None) == (end.error and end.error.message)


async def test_a_start_outlives_its_record(backend: MemoryBackend) -> None:
    """The status of a task whose STARTED has expired does not turn back, and no moment is made up."""
    [task_id] = await launch(backend)
    say(backend, task_id, "STARTED", {"pid": 1, "hostname": "w@host"})
    settler = make_settler(backend)

    await settler.settle()
    run = backend.rows[task_id].run

    assert run is not None
    assert (True, "w@host", None) == (run.is_started, run.worker, run.started_at)


@pytest.mark.parametrize("raw", [b"garbage", b'{"status": "mine", "result": 1}'])
async def test_what_says_nothing_of_the_end_settles_nothing(backend: MemoryBackend, raw: bytes) -> None:
    """An unreadable record and a state of the task's own."""
    [task_id] = await launch(backend)
    backend.records[task_id] = raw

    await make_settler(backend).settle()

    assert backend.rows[task_id].end is None


async def test_the_settler_goes_on_at_once_while_much_has_ended(backend: MemoryBackend) -> None:
    """And rests where nothing has; one slice after the other gets its turn."""
    ids = await launch(backend, SLICE + 10)
    for each in ids:
        say(backend, each, "SUCCESS")
    settler = make_settler(backend)

    pauses = [await settler.settle() for _ in range(3)]

    assert [0.0, EVERY_S, EVERY_S] == pauses
    assert all(row.end is not None for row in backend.rows.values())


class FarAwayTasks(MemoryOpenTasks):
    """Open tasks behind a connection that fails as it is told to."""

    failures: list[BackendError]

    async def take(self, after: str, *, count: int) -> Slice | None:
        """Fail, or answer."""
        if self.failures:
            raise self.failures.pop()
        return await super().take(after, count=count)


async def test_an_outage_is_told_once(backend: MemoryBackend) -> None:
    """However long it lasts; and so is its end."""
    [task_id] = await launch(backend)
    say(backend, task_id, "SUCCESS")
    settler = make_settler(backend)
    settler._open_tasks = tasks = FarAwayTasks(backend)
    tasks.failures = [ResultsUnavailableError("it is away") for _ in range(3)]

    with structlog.testing.capture_logs() as logs:
        for _ in range(5):
            await settler._try()

    assert ["settling_failed", "settling_resumed"] == [each["event"] for each in logs if each["log_level"] != "debug"]
    assert backend.rows[task_id].end is not None
