"""A revoke tells the truth: real workers, a real Valkey, and bodies of tasks that leave a trace when they run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from celery import Celery
from celery.exceptions import TaskRevokedError
from redis import Redis

from gateway.demo.valkey import embedded_valkey
from tests.end_to_end.stopping import API, Place, kill
from tests.harness import wait_for

pytestmark = pytest.mark.timeout(90)
GONE = "taken out of the queue: it will not run"


@pytest.fixture(scope="module")
def valkey() -> Iterator[str]:
    """A broker for this module, with sixteen databases."""
    with embedded_valkey() as url:
        yield url


@pytest.fixture(scope="module")
def busy(valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A gateway, and a worker that runs one task at a time and holds four more."""
    place = Place(tmp_path_factory.mktemp("busy"), valkey)
    with place.gateway(), place.worker("-c", "1", "--prefetch-multiplier", "5", "-E"):
        wait_for("a look at the worker", lambda: place.http.get(f"{API}/stats").json()["workers"])
        yield place


@pytest.fixture
def bare(valkey: str, tmp_path: Path) -> Iterator[Place]:
    """A gateway without any worker."""
    place = Place(tmp_path, f"{valkey[:-1]}1")
    with Redis.from_url(place.broker_url) as redis:
        redis.flushdb()
    with place.gateway():
        yield place


@contextmanager
def asking_celery(url: str) -> Iterator[Celery]:
    """Make an app that reads results, as any other client of the workers has one."""
    app = Celery(backend=url, set_as_current=False)
    yield app
    app.backend.result_consumer.stop()
    app.backend.client.connection_pool.disconnect()
    app.close()


def test_what_waits_never_runs(bare: Place) -> None:
    """Revoked while no worker is up: of 300 that wait, of several priorities, those and no others are skipped later."""
    ids = [*bare.launch_many(250), *(bare.launch(priority=number % 10) for number in range(50))]
    revoked = ids[100:110] + ids[-10:]

    answers = [bare.revoke(each) for each in revoked]
    statuses = [bare.look(each) for each in revoked]
    again = bare.http.delete(f"{API}/tasks/{revoked[0]}")
    with bare.worker("-c", "1"):
        expected = set(ids) - set(revoked)
        wait_for("the others", lambda: expected <= bare.find_started(), limit_s=30)
    with asking_celery(bare.broker_url) as app, pytest.raises(TaskRevokedError, match="revoked"):
        app.AsyncResult(revoked[0]).get(timeout=5)

    assert expected == bare.find_started()
    assert {("REVOKED", GONE)} == {(each["status"], each["message"]) for each in answers}
    assert {("REVOKED", "celery.exceptions.TaskRevokedError")} == {
        (each["status"], each["error"]["type"]) for each in statuses
    }
    assert all(each["revocation"]["is_withdrawn"] and each["revocation"]["confirmed_at"] for each in statuses)
    assert 409 == again.status_code


def test_what_a_living_worker_holds_is_left_by_it(busy: Place) -> None:
    """Reserved, or due later: asked for first, confirmed once the worker says so; neither runs."""
    running = busy.launch(seconds=1)
    busy.wait_for_start(running)
    reserved, delayed = busy.launch(), busy.launch(countdown_s=1)
    with Redis.from_url(busy.broker_url) as redis:
        wait_for(
            "both to be reserved", lambda: redis.hexists("unacked", reserved) and redis.hexists("unacked", delayed)
        )

    answers = [busy.revoke(each) for each in (reserved, delayed)]
    still = [busy.look(each)["status"] for each in (running, reserved, delayed)]
    ends = [busy.wait_for_status(each, "REVOKED") for each in (reserved, delayed)]

    assert {(None, True)} == {
        (each["revocation"]["confirmed_at"], each["revocation"]["is_withdrawn"]) for each in answers
    }
    assert "STARTED" == still[0]
    assert {"PENDING", "RECEIVED"} >= set(still[1:])
    message = "taken back from the broker, which gives it to nobody else; asked 1 live worker not to run it"
    assert {message} == {each["message"] for each in answers}
    assert all(each["revocation"]["confirmed_at"] for each in ends)
    assert not {reserved, delayed} & busy.find_started()


def test_what_runs_is_only_asked(busy: Place) -> None:
    """Without a signal it goes on to its end, and the wish stays unconfirmed beside it."""
    running = busy.launch(seconds=0.5)
    busy.wait_for_start(running)

    answer = busy.revoke(running)
    end = busy.wait_for_status(running, "SUCCESS")
    too_late = busy.http.delete(f"{API}/tasks/{running}")

    assert ("STARTED", None) == (answer["status"], answer["revocation"]["confirmed_at"])
    assert (answer["revocation"]["requested_at"], None) == (
        end["revocation"]["requested_at"],
        end["revocation"]["confirmed_at"],
    )
    assert (409, "task_finished") == (too_late.status_code, too_late.json()["code"])


def test_what_runs_is_stopped_with_a_signal(busy: Place) -> None:
    """The harder wish replaces the first one, and is confirmed by Celery."""
    running = busy.launch(seconds=30)
    busy.wait_for_start(running)

    first = busy.revoke(running)
    answer = busy.revoke(running, terminate="true", signal="SIGKILL")
    end = busy.wait_for_status(running, "REVOKED")

    assert (False, True) == (first["revocation"]["terminate"], answer["revocation"]["terminate"])
    assert "asked 1 live worker to stop it with SIGKILL" == answer["message"].rpartition("; ")[2]
    assert end["revocation"]["confirmed_at"]
    assert f"end {running}" not in busy.runs.read_text()


def test_what_a_dead_worker_held_never_runs(bare: Place) -> None:
    """Reserved, revoked, the worker killed: another one, with a short visibility timeout, is never given it."""
    options = ("-c", "1", "--prefetch-multiplier", "3", "-E")
    with bare.worker(*options, FAULTS_VISIBILITY_S="1") as worker:
        running = bare.launch(seconds=30)
        bare.wait_for_start(running)
        wait_for("the event of the start", lambda: bare.look(running)["started_at"])
        reserved, other = bare.launch(), bare.launch()
        with Redis.from_url(bare.broker_url) as redis:
            wait_for(
                "both to be reserved", lambda: redis.hexists("unacked", reserved) and redis.hexists("unacked", other)
            )
        answer = bare.revoke(reserved)
        kill(worker)
    with bare.worker(*options, FAULTS_VISIBILITY_S="1"):
        bare.wait_for_status(other, "SUCCESS", limit_s=30)
        after = bare.launch()
        bare.wait_for_status(after, "SUCCESS")
        lost = bare.look(running)
    status = bare.look(reserved)

    assert ("STARTED", True) == (lost["status"], lost["worker_lost_at"] is not None)
    assert answer["revocation"]["is_withdrawn"]
    assert {running, other, after} == bare.find_started()
    assert ("RECEIVED", None) == (status["status"], status["revocation"]["confirmed_at"])


def test_events_tell_when_a_task_began(busy: Place) -> None:
    """With `-E`: how long it waited, how long it ran, and where."""
    ids = [busy.launch(seconds=0.3) for _ in range(2)]
    ends = [busy.wait_for_status(each, "SUCCESS") for each in ids]
    timed = [wait_for("the events", lambda each=each: (s := busy.look(each))["run_s"] and s) for each in ids]

    assert all(0.2 <= each["run_s"] < 2 for each in timed)
    assert timed[0]["queued_s"] + 0.2 <= timed[1]["queued_s"]
    assert ends[0]["launched_at"] < timed[0]["started_at"] < timed[0]["finished_at"]
    assert {f"worker@{busy.folder.name}"} == {each["worker"] for each in timed}


def test_a_task_whose_worker_is_silent_is_told_as_such(bare: Place) -> None:
    """Killed in the middle: STARTED, and since when nobody has heard of its worker."""
    with bare.worker("-c", "1", "--heartbeat-interval", "1") as worker:
        running = bare.launch(seconds=60)
        bare.wait_for_status(running, "STARTED")
        alive = bare.look(running)
        kill(worker)
        lost = wait_for("its loss", lambda: (s := bare.look(running))["worker_lost_at"] and s, limit_s=20)

    assert (None, "STARTED") == (alive["worker_lost_at"], lost["status"])
