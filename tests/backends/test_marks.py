"""What the gateway writes beside Celery's records is what Celery would write, and never in the place of an end."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Retry, TaskRevokedError
from redis import Redis

from gateway.backends.redis.connection import connect
from gateway.backends.redis.results import RedisResults
from gateway.backends.redis.trips import SharedTrips
from gateway.launch.launch import LedgerEntry
from gateway.launch.withdrawal import REVOKE_REQUESTED
from gateway.ports import Remembered
from gateway.status.lifecycle import choose_status
from gateway.status.record import read_record

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex")  # Celery calls it
NOW = datetime.now(UTC)
ENTRY = LedgerEntry(
    task_id="id", task_type="a.b", name="a.b", params={}, queue="q", launched_at=NOW, keep_s=60, digest="d",
    generation=1,
)  # fmt: skip


@pytest.fixture
def url(valkey_url: str) -> str:
    """An empty database."""
    url = f"{valkey_url[:-1]}4"
    with Redis.from_url(url) as redis:
        redis.flushdb()
    return url


@pytest.fixture
def app(url: str) -> Iterator[Celery]:
    """Celery's own backend."""
    app = Celery(backend=url, set_as_current=False)
    yield app
    app.backend.client.connection_pool.disconnect()
    app.close()


@pytest.fixture
async def results(url: str) -> AsyncIterator[RedisResults]:
    """Ours."""
    client = connect(url, deadline_s=2)
    yield RedisResults(SharedTrips(client, deadline_s=2), key_prefix="", deadline_s=2, max_bytes=4096)
    await client.aclose()


def read(url: str, task_id: str) -> dict[str, Any]:
    """Read a record as it stands."""
    with Redis.from_url(url) as redis:
        record: dict[str, Any] = json.loads(redis.get(f"celery-task-meta-{task_id}") or b"{}")
        return record


async def test_a_revoked_task_reads_as_celery_writes_it(url: str, app: Celery, results: RedisResults) -> None:
    """Member by member, with its expiry, and told on the channel of its name."""
    begun = datetime.now(UTC)
    app.backend.mark_as_revoked("theirs", "revoked")
    with Redis.from_url(url) as redis, redis.pubsub() as heard:
        heard.subscribe("celery-task-meta-ours")
        heard.get_message(timeout=2)

        await results.mark_revoked(["ours"], at=NOW)
        message = heard.get_message(timeout=2)
        lives = [redis.ttl(f"celery-task-meta-{each}") for each in ("theirs", "ours")]

    theirs, ours = read(url, "theirs"), read(url, "ours")
    assert theirs | {"task_id": "ours", "date_done": NOW.isoformat()} == ours
    assert list(theirs) == list(ours)
    assert timedelta() <= datetime.fromisoformat(theirs["date_done"]) - begun < timedelta(minutes=1)
    assert message is not None
    assert ours == json.loads(message["data"])
    assert lives[0] == pytest.approx(lives[1], abs=5)
    assert isinstance(app.backend.get_result("ours"), TaskRevokedError)


@pytest.mark.parametrize("status", ["SUCCESS", "FAILURE", "REVOKED", "STARTED", "PROGRESS"])
async def test_nothing_is_written_over_a_task_that_began(
    url: str, app: Celery, results: RedisResults, status: str
) -> None:
    """Neither over an end, nor over a run: those are somebody else's words."""
    result = ValueError("x") if status in {"FAILURE", "REVOKED"} else None
    app.backend.store_result("a", result, status)
    before = read(url, "a")

    await results.mark_asked(["a"])
    if status not in {"STARTED", "PROGRESS"}:
        await results.mark_revoked(["a"], at=NOW)

    assert before == read(url, "a")


async def test_a_task_that_waits_for_its_retry_keeps_why(url: str, app: Celery, results: RedisResults) -> None:
    """It is asked not to run again, and its status does not go backwards."""
    app.backend.mark_as_retry("retried", Retry("later"))
    before = read(url, "retried")

    await results.mark_asked(["retried", "new"])
    statuses = [
        choose_status(Remembered(entry=ENTRY), read_record(json.dumps(read(url, each)).encode()))
        for each in ("retried", "new")
    ]

    assert before | {"status": REVOKE_REQUESTED} == read(url, "retried")
    assert ["RETRY", "PENDING"] == statuses


async def test_a_key_of_another_kind_is_left_alone(url: str, results: RedisResults) -> None:
    """What nobody can read is nobody's to write over."""
    with Redis.from_url(url) as redis:
        redis.set("celery-task-meta-a", b"\x80garbage")

        await results.mark_revoked(["a"], at=NOW)
        await results.mark_asked(["a"])

        assert b"\x80garbage" == redis.get("celery-task-meta-a")
