"""GATEWAY_CELERY_APP: messages go where the app's own would go, as the app's own would look."""

import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
import redis

from gateway.demo.valkey import embedded_valkey
from tests.harness import ROOT, clean_environment, finish, run_gateway, run_process, wait_for

APP = "tests.end_to_end.existing_app"
TASKS = "version: 1\ntasks:\n" + "".join(
    f"  {name}: {{parameters: {{item: {{type: string}}}}}}\n"
    for name in ("shop.order", "shop.film", "shop.rush", "shop.packed")
)
TASKS += "  shop.late: {name: shop.order, queue: nobody, parameters: {item: {type: string}}}\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, str]]:
    """A worker of the app, and a gateway that was told nothing but the app."""
    folder = tmp_path_factory.mktemp("existing")
    config = folder / "tasks.yaml"
    config.write_text(TASKS)
    log = folder / "worker.log"
    with embedded_valkey() as url:
        env = {"EXISTING_BROKER": url}
        argv = ("celery", "-A", APP, "worker", "-c", "1", "-l", "info")
        with (
            run_process(*argv, env=env, log=log),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setenv("EXISTING_BROKER", url)
            wait_for("the worker", lambda: b" ready." in log.read_bytes(), limit_s=30)
            with (
                run_gateway(folder / "g.log", config=config, celery_app=f"{APP}:app") as gateway,
                httpx.Client(base_url=gateway, timeout=10) as http,
            ):
                yield http, url


@pytest.mark.parametrize(
    ("task_type", "expected"),
    [
        pytest.param("shop.order", ["tea", "", "shop", 0], id="its default queue"),
        pytest.param("shop.rush", ["tea", "", "urgent", 7], id="a route with a priority"),
        pytest.param("shop.film", ["tea", "media", "media.film", 0], id="a topic exchange"),
        pytest.param("shop.packed", ["tea", "", "shop", 0], id="YAML, compressed"),
    ],
)
def test_a_launch_goes_the_way_of_the_app(
    world: tuple[httpx.Client, str], task_type: str, expected: list[object]
) -> None:
    """Found in the right queue by a real worker; its result is found under the app's prefix."""
    http, url = world
    receipt = http.post(f"/api/celery/tasks/launch/{task_type}", json={"item": "tea"}).json()

    status = finish(http, receipt["task_id"])

    assert ("SUCCESS", expected) == (status["status"], status["result"])
    with redis.Redis.from_url(url) as client:
        assert client.exists(f"results:celery-task-meta-{receipt['task_id']}")


def test_what_the_gateway_writes_is_kept_as_long_as_the_app_says(world: tuple[httpx.Client, str]) -> None:
    """The record of a task that was taken back before any worker had it."""
    http, url = world
    task_id = http.post("/api/celery/tasks/launch/shop.late", json={"item": "tea"}).json()["task_id"]

    revoked = http.delete(f"/api/celery/tasks/{task_id}").json()

    assert revoked["revocation"]["confirmed_at"] is not None
    with redis.Redis.from_url(url) as client:
        assert 7200 == pytest.approx(client.ttl(f"results:celery-task-meta-{task_id}"), abs=30)


def test_a_batch_of_both_kinds_is_answered_in_order(world: tuple[httpx.Client, str]) -> None:
    """Plain messages and others in one request."""
    http, _ = world
    names = ["shop.order", "shop.film", "shop.packed", "shop.rush"]
    items = [{"task_type": name, "params": {"item": name}} for name in names]

    answers = http.post("/api/celery/tasks/launch/batch", json={"items": items}).json()["items"]
    whole = http.post("/api/celery/tasks/launch/batch", json={"items": items, "all_or_nothing": True}).json()["items"]

    for each in (answers, whole):
        assert names == [answer["receipt"]["task_type"] for answer in each]
        assert names == [finish(http, answer["receipt"]["task_id"])["result"][0] for answer in each]


def test_an_app_that_cannot_be_imported_ends_the_start() -> None:
    """With a sentence, not a traceback."""
    env = clean_environment() | {"GATEWAY_CELERY_APP": "nowhere.at_all:app"}
    ended = subprocess.run(
        [sys.executable, "-m", "gateway", "serve"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=20,
        check=False,
    )  # fmt: skip

    assert 2 == ended.returncode
    assert "cannot import the module 'nowhere.at_all': there is none of that name here" in ended.stderr
    assert "Traceback" not in ended.stderr
