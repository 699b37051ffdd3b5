"""Every result backend tells the same of the same tasks, written by a real worker; what is pickled stays so."""

import json
import pickle
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from celery import Celery
from msgspec import Struct
from redis import Redis

from gateway.backends.redis.connection import connect
from gateway.backends.redis.results import RedisResults
from gateway.backends.redis.trips import SharedTrips
from gateway.backends.results.choosing import make_results
from gateway.demo.valkey import find_free_port
from gateway.ports import Results
from gateway.settings import is_redis
from gateway.status.record import ResultRecord, read_found, read_record
from tests.harness import finish, need, run_gateway, run_process, wait_for

OPTIONS = {"database_table_names": {"task": "shop_results"}}
BACKENDS = ["redis", "file", "db", "shelf", "memcached"]
MAX_BYTES = 5000
NOBODY = "01890000-0000-7000-8000-00000000000f"


class World(Struct):
    """A worker that has run every task once."""

    folder: Path
    broker: str
    urls: dict[str, str]
    ids: dict[str, str]
    """Task ids by the names of the tasks."""


def run_memcached(stack: ExitStack, folder: Path) -> str:
    """Run a memcached; return its URL as Celery writes it."""
    port = find_free_port("127.0.0.1")
    with (folder / "memcached.log").open("wb") as log:
        argv = [need("memcached"), "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-m", "8", "-u", "nobody"]
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    stack.callback(process.wait, 5)
    stack.callback(process.terminate)
    return f"cache+memcached://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def world(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One worker for all backends; its tasks have ended."""
    folder = tmp_path_factory.mktemp("results")
    for name in ("files", "shelf"):
        (folder / name).mkdir()
    urls = {
        "redis": f"{valkey_url[:-1]}6",
        "file": f"file://{folder}/files",
        "db": f"db+sqlite:///{folder}/results.db",
        "shelf": f"tests.backends.shelf:Shelf://{folder}/shelf",
    }
    with ExitStack() as stack:
        with suppress(pytest.skip.Exception):  # the tests that need it skip by themselves
            urls["memcached"] = run_memcached(stack, folder)
        broker, log = f"{valkey_url[:-1]}5", folder / "worker.log"
        env = {"RESULTS_BROKER": broker, "RESULTS_URLS": json.dumps(urls), "PYTHONWARNINGS": "ignore"}
        argv = ("celery", "-A", "tests.backends.results_app", "worker", "-P", "solo", "-Q", "shop", "-l", "info")
        worker = stack.enter_context(run_process(*argv, env=env, log=log))
        ids = launch_all(broker, urls, folder)
        wait_for("the tasks, or the worker's end", lambda: (folder / "done").exists() or worker.poll(), limit_s=30)
        assert worker.poll() is None, log.read_text()
        yield World(folder, broker, urls, ids)


def launch_all(broker: str, urls: dict[str, str], folder: Path) -> dict[str, str]:
    """Ask for every task once, and then for a mark."""
    ids = {}
    with Celery("t", broker=broker, set_as_current=False) as app:
        for name in urls:
            kinds = [f"json.{kind}" for kind in ("succeed", "fail", "custom", "progress", "much")]
            kinds += ["pickle.fail", "pickle.canary"] if name != "shelf" else []
            for kind in kinds:
                task = f"{name}.{kind}"
                item = str(folder / f"{name}.canary") if kind.endswith("canary") else "tea"
                ids[task] = str(uuid4())
                app.send_task(task, [item], task_id=ids[task], queue="shop")
        app.send_task("mark", [str(folder / "done")], queue="shop")
    return ids


@pytest.fixture(params=BACKENDS)
async def backend(request: pytest.FixtureRequest, world: World) -> AsyncIterator[tuple[str, Results]]:
    """The name of each backend, and its reader."""
    name = request.param
    if name not in world.urls:
        need(name)
    url = world.urls[name]
    if is_redis(url):
        client = connect(url, deadline_s=2)
        yield name, RedisResults(SharedTrips(client, deadline_s=2), key_prefix="", deadline_s=2, max_bytes=MAX_BYTES)
        await client.aclose()
    else:
        results = make_results(url, key_prefix="", deadline_s=2, max_bytes=MAX_BYTES, options=OPTIONS)
        yield name, results
        results.close()


async def read(results: Results, *task_ids: str) -> list[ResultRecord]:
    """Read records that are there."""
    found = await results.find(task_ids)

    assert None not in found
    return [read_found(each) for each in found if each is not None]


async def test_all_backends_tell_the_same(backend: tuple[str, Results], world: World) -> None:
    """Of a success, a failure, a state of one's own and progress; in one call, in order, with a hole for a stranger."""
    name, results = backend
    kinds = ["succeed", "fail", "custom", "progress"]
    ids = [world.ids[f"{name}.json.{kind}"] for kind in kinds]

    done, failed, custom, progress = await read(results, *ids)
    [hole, again] = await results.find([NOBODY, ids[0]])
    alone = await results.find([ids[0]])

    assert ("SUCCESS", {"item": "tea", "weights": [1, 2.5]}) == (done.status, done.result)
    assert ("FAILURE", "RefusedError", ["tea", 7]) == (
        failed.status,
        failed.result["exc_type"],
        failed.result["exc_message"],
    )
    assert failed.traceback is not None
    assert "raise RefusedError(item, 7)" in failed.traceback
    assert ("WEIGHED", {"item": "tea"}) == (custom.status, custom.result)
    assert ("PROGRESS", 2, 8) == (progress.status, progress.result["current"], progress.result["total"])
    assert [True, True, False, False] == [each.finished_at is not None for each in (done, failed, custom, progress)]
    assert all(each.worker and each.retries == 0 and each.is_readable for each in (done, failed))
    assert hole is None
    assert [again] == alone


async def test_what_is_pickled_is_never_unpickled(backend: tuple[str, Results], world: World) -> None:
    """It is unreadable, an exception as well as a value; where the state stands beside it, that is still told."""
    name, results = backend
    if name == "shelf":
        return
    ids = [world.ids[f"{name}.pickle.{kind}"] for kind in ("fail", "canary")]
    canary = world.folder / f"{name}.canary"

    failed, done = await read(results, *ids)
    was_touched = canary.exists()
    raw = await results.load(ids[1])

    states = ("FAILURE", "SUCCESS") if name == "db" else ("UNKNOWN", "UNKNOWN")
    assert (*states, False, False) == (failed.status, done.status, failed.is_readable, done.is_readable)
    assert (None, None) == (failed.result, done.result)
    assert not was_touched
    if name != "db":  # there the pickle does not even leave the reader
        assert raw is not None
        pickle.loads(raw)  # noqa: S301 - proves that the canary is one
        assert canary.exists()


async def test_of_what_is_too_large_the_ends_are_read(backend: tuple[str, Results], world: World) -> None:
    """They tell all but the result and the traceback; the whole can be had by itself."""
    name, results = backend
    task_id = world.ids[f"{name}.json.much"]

    [record] = await read(results, task_id)
    whole, nothing = await results.load(task_id), await results.load(NOBODY)

    assert (False, "SUCCESS", None, 0) == (record.is_whole, record.status, record.result, record.retries)
    assert record.finished_at is not None
    assert record.worker is not None
    assert whole is not None
    assert 20_000 == len(read_record(whole).result)
    assert nothing is None


async def test_a_probe_answers_and_finds_nothing_odd(backend: tuple[str, Results]) -> None:
    """Of a backend that has been written to."""
    _, results = backend

    await results.check()  # type: ignore[attr-defined] # a probe too

    assert () == results.warnings  # type: ignore[attr-defined]


async def test_only_redis_publishes_changes(backend: tuple[str, Results]) -> None:
    """Its channel is called like the key; the others have to be polled."""
    name, results = backend

    assert ("celery-task-meta-x" if name == "redis" else None) == results.channel_of("x")


@pytest.mark.parametrize("prefix", ["", "shop", "shop:", "shop_", "shop-", "shop."])
async def test_keys_in_redis_are_those_of_celery(prefix: str, valkey_url: str) -> None:
    """Also under a prefix to which Celery adds an underscore."""
    client = connect(valkey_url, deadline_s=5)
    results = RedisResults(SharedTrips(client, deadline_s=5), key_prefix=prefix, deadline_s=5, max_bytes=MAX_BYTES)
    with Celery("t", backend=valkey_url, set_as_current=False) as app:
        app.conf.result_backend_transport_options = {"global_keyprefix": prefix}
        key = app.backend.get_key_for_task("x")
    await client.aclose()

    assert key.decode() == results.channel_of("x")


def test_a_gateway_reads_the_results_of_an_existing_app(world: World, tmp_path: Path) -> None:
    """From the database that the app names, with its own table, also unasked; a pickle is told as unreadable."""
    names = ("db.json.succeed", "db.json.fail", "db.pickle.fail")
    config = tmp_path / "tasks.yaml"
    config.write_text(
        "version: 1\ntasks:\n" + "".join(f"  {name}: {{parameters: {{item: {{type: string}}}}}}\n" for name in names)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESULTS_BROKER", world.broker)
        patch.setenv("RESULTS_URLS", json.dumps(world.urls))
        with (
            run_gateway(tmp_path / "g.log", config=config, celery_app="tests.backends.results_app:app") as url,
            httpx.Client(base_url=url, timeout=10) as http,
        ):
            launched = [
                http.post(f"/api/celery/tasks/launch/{name}", json={"item": "tea"}).json()["task_id"] for name in names
            ]
            done, failed, pickled = (finish(http, task_id) for task_id in launched)
            ready = http.get("/health/ready").json()["parts"]["results"]
            unread = http.post("/api/celery/tasks/launch/db.json.fail", json={"item": "tea"}).json()["task_id"]
            with Redis.from_url(world.broker) as ledger:
                end = wait_for("an end that nobody asked for", lambda: ledger.get(f"gateway:end:{unread}"))

    assert ("FAILURE", "tea, 7") == (json.loads(end)["status"], json.loads(end)["error"]["message"])
    assert ("SUCCESS", {"item": "tea", "weights": [1, 2.5]}) == (done["status"], done["result"])
    assert ("FAILURE", "tea, 7") == (failed["status"], failed["error"]["message"])
    assert ("FAILURE", "UnreadableResult", "unreadable") == (
        pickled["status"],
        pickled["error"]["type"],
        pickled["result_omitted"],
    )
    assert (True, []) == (ready["is_ready"], ready["warnings"])


def test_results_over_rpc_are_none_and_that_is_said_once(world: World, tmp_path: Path) -> None:
    """At start and in readiness; a launch is accepted, and its task stays as the ledger knows it."""
    log = tmp_path / "g.log"
    with (
        run_gateway(log, broker_url=world.broker, result_url="rpc://", log_format="json") as url,
        httpx.Client(base_url=url, timeout=10) as http,
    ):
        body = {"task_type": "sii.sync_f29_all", "params": {"year": 2026}}
        task_id = http.post("/api/celery/tasks/launch", json=body).json()["task_id"]
        status = http.get(f"/api/celery/tasks/{task_id}").json()["status"]
        ready = http.get("/health/ready").json()["parts"]["results"]
        wait_for("the warning", lambda: "part_unsafe" in log.read_text())
    said = [json.loads(line) for line in log.read_text().splitlines() if '"results"' in line]

    warning = "rpc:// results can be read by nobody but their caller, so that nothing is heard of any task"
    assert ("PENDING", True, [warning]) == (status, ready["is_ready"], ready["warnings"])
    assert [("part_unsafe", warning)] == [(each["event"], each["detail"]) for each in said]
