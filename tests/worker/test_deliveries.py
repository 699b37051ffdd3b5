"""The worker kit in real workers: what was launched once runs once, whatever the broker delivers, and says what became of it."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis

from gateway.demo.valkey import embedded_valkey
from tests.end_to_end.stopping import Place, kill
from tests.faults.proxy import proxied
from tests.harness import wait_for

pytestmark = pytest.mark.timeout(60)
POOLS = {"prefork": "2", "threads": "2", "solo": "1", "gevent": "4"}
"""How many tasks each runs at once; the name of each is a queue's, too."""
LEASE_S = 1.0
KIT = {"FAULTS_KIT": json.dumps({"lease_s": LEASE_S})}
"""Such a worker writes no results and tells of no start: all that is known of its tasks is what the kit tells."""
SILENT = KIT | {"FAULTS_SILENT": "1"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A gateway on a Valkey of its own; workers come and go."""
    with embedded_valkey() as url:
        place = Place(tmp_path_factory.mktemp("kit"), url, queues=tuple(POOLS))
        with place.gateway():
            yield place


@pytest.fixture
def redis(place: Place) -> Iterator[Redis]:
    """The broker and ledger."""
    with Redis.from_url(place.broker_url) as client:
        yield client


def copy_messages(redis: Redis, queue: str) -> None:
    """Put a second copy of every message that waits behind all of them, as a broker that delivers twice."""
    redis.lpush(queue, *reversed(redis.lrange(queue, 0, -1)))


def are_refused(place: Place, worker: str, *task_ids: str) -> bool:
    """Tell whether a worker has said of each delivery that it does not run it, and did not only put it back."""
    log = (place.folder / f"{worker}.log").read_text()
    return all(log.count(f"{each} does not run again") >= count for each, count in Counter(task_ids).items())


def ask_not_to_run(redis: Redis, task_id: str) -> None:
    """Wish that a task not run, where no worker hears of it: in the ledger alone."""
    redis.set(f"gateway:revoke:{task_id}", json.dumps({"requested_at": "2026-11-25T10:00:00Z"}), ex=60)


def count_ends(place: Place, task_type: str, outcome: str) -> int:
    """Return how many ends the metrics count."""
    series = f'gateway_finished_total{{outcome="{outcome}",task_type="{task_type}"}} '
    lines = place.http.get("/metrics").text.splitlines()
    return sum(int(float(line.removeprefix(series))) for line in lines if line.startswith(series))


def test_two_deliveries_are_one_run_in_every_pool(place: Place, redis: Redis) -> None:
    """Of a task that has ended, of one that runs, of one that is retried; one that is revoked in the ledger never runs."""
    with ThreadPoolExecutor(len(POOLS)) as threads:
        for held in [threads.submit(deliver_twice, place, redis, pool) for pool in POOLS]:
            held.result()


def deliver_twice(place: Place, redis: Redis, pool: str) -> None:
    """Hold one pool to it."""
    quick, slow = place.launch(task_type=f"note_{pool}"), place.launch(task_type=f"note_{pool}", seconds=0.5)
    retried, revoked = place.launch(task_type=f"retry_{pool}"), place.launch(task_type=f"note_{pool}")
    tasks = (quick, slow, retried, revoked)
    ask_not_to_run(redis, revoked)
    copy_messages(redis, pool)

    with place.worker("-P", pool, "-c", POOLS[pool], "-Q", pool, name=pool, **SILENT):
        ends = {each: place.wait_for_status(each, "SUCCESS", "REVOKED", limit_s=40) for each in tasks}
        wait_for("the second deliveries", lambda: are_refused(place, pool, *tasks, revoked))

    assert [1, 1, 3, 0] == [len(place.read_starts(each)) for each in tasks]
    assert ["SUCCESS", "SUCCESS", "SUCCESS", "REVOKED"] == [end["status"] for end in ends.values()]
    assert ends[slow]["run_s"] >= 0.5
    assert ends[quick]["queued_s"] > 0
    assert ends[quick]["worker"].startswith(f"{pool}@")
    assert ends[retried]["retries"] == 2
    assert 0 == redis.exists(*(f"gateway:claim:{each}" for each in tasks))
    wait_for("a count of what was refused", lambda: count_ends(place, f"note_{pool}", "REVOKED") == 1)


def test_a_dead_workers_task_is_taken_over_after_its_lease(place: Place, redis: Redis) -> None:
    """One that runs at least once runs again, and not before; one that runs at most once ends as UNKNOWN."""
    often, once = place.launch(seconds=1.5), place.launch(seconds=1.5, task_type="once")
    messages = redis.lrange("faults", 0, -1)
    with place.worker("-c", "2", name="dying", **KIT) as dying:
        place.wait_for_start(often)
        place.wait_for_start(once)
        kill(dying)
    redis.delete("unacked", "unacked_index")
    redis.lpush("faults", *messages)  # as the broker does that finds them unacknowledged

    with place.worker("-c", "2", name="heir", **KIT):
        run_again = place.wait_for_status(often, "SUCCESS")
        unknown = place.wait_for_status(once, "UNKNOWN")

    first, second = place.read_starts(often)
    assert second - first > LEASE_S / 2
    assert run_again["worker"].startswith("heir@")
    assert 1 == len(place.read_starts(once))
    assert "dying@" in unknown["error"]["message"]
    wait_for("a count of what was given up", lambda: count_ends(place, "once", "UNKNOWN") == 1)


def test_a_task_says_how_far_it_is_stops_when_asked_and_has_an_end_if_it_is_killed(place: Place) -> None:
    """`progress` and `is_revoked` in its own code; at its time limit its worker says what it cannot say itself."""
    with place.worker("-c", "2", name="strict", **KIT):
        killed = place.launch(seconds=30, task_type="limited")
        task_id = place.launch(task_type="stop_when_asked")
        told = place.wait_for_status(task_id, "PROGRESS")
        place.revoke(task_id)
        stopped, failed = place.wait_for_status(task_id, "SUCCESS"), place.wait_for_status(killed, "FAILURE")

    assert (1000, f"step {told['progress']['current']}") == (told["progress"]["total"], told["progress"]["message"])
    assert "stopped" == stopped["result"]
    assert "billiard.exceptions.TimeLimitExceeded" == failed["error"]["type"]
    assert failed["worker"].startswith("strict@")
    assert failed["run_s"] is not None


def test_what_ran_while_the_ledger_was_away_is_written_down_later(tmp_path: Path) -> None:
    """The ledger is another Redis than the broker, behind a wire that breaks: the task runs unclaimed, and has a status."""
    with embedded_valkey() as broker, embedded_valkey() as ledger, proxied(ledger) as (proxied_ledger, wire):
        place = Place(tmp_path, broker, ledger_url=ledger)
        kit = {"FAULTS_KIT": json.dumps({"url": proxied_ledger, "lease_s": LEASE_S, "wait_s": 0.1})}
        with place.gateway(), place.worker("-c", "1", FAULTS_SILENT="1", **kit):
            wire.is_refusing = True
            wire.cut()
            task_id = place.launch()
            place.wait_for_start(task_id)
            wire.is_refusing = False
            status = place.wait_for_status(task_id, "SUCCESS")

    assert status["started_at"] is not None
    assert 1 == len(place.read_starts(task_id))
