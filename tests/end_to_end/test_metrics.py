"""Metrics of running gateways: exact over processes and replicas, and as many series however many workers come and go."""

import os
import signal
from collections.abc import Iterator
from typing import NamedTuple

import celery
import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.demo.valkey import embedded_valkey
from gateway.metrics.families import FAMILIES
from tests.harness import find_listener, finish, run_gateway, run_worker, wait_for

LAUNCH = "/api/celery/tasks/launch"
TASK_TYPE = "sii.sync_documents"
BODY = {"task_type": TASK_TYPE, "params": {"company_id": "test"}}
RESTARTS = 500
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


class World(NamedTuple):
    """Two gateways of one ledger, of which the first has two processes."""

    broker_url: str
    urls: tuple[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """With a worker of their own, so that nobody else's tasks are counted."""
    logs = tmp_path_factory.mktemp("metrics")
    with (
        embedded_valkey() as broker_url,
        run_worker(logs / "worker.log", broker_url, DEMO_TASK_SECONDS="0.5"),
        run_gateway(logs / "one.log", broker_url=broker_url, workers="2", workers_refresh_s="0.5") as one,
        run_gateway(logs / "two.log", broker_url=broker_url, workers_refresh_s="0.5") as two,
    ):
        with celery.Celery(broker=broker_url) as app:
            app.control.enable_events()  # which tell when tasks start; workers send none unless they are told to
        yield World(broker_url, (one, two))


def scrape(url: str) -> Series:
    """Read all series; over a new connection, which any process may get."""
    text = httpx.get(f"{url}/metrics").text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def count(url: str, name: str, **labels: str) -> float:
    """Add up the series of a name that have these labels."""
    found = scrape(url).items()
    return sum(value for (each, given), value in found if each == name and labels.items() <= dict(given).items())


def test_all_processes_of_a_port_count_as_one(world: World) -> None:
    """Whichever is asked tells what all have done, exactly; one that is killed takes nothing with it."""
    url = world.urls[0]
    listener = find_listener(url)
    parent = listener if len(listener.children()) > 1 else listener.parent()
    assert isinstance(parent, psutil.Process)
    launched = count(url, "gateway_launches_total")
    statuses = [httpx.post(f"{url}{LAUNCH}", json=BODY).status_code for _ in range(10)]
    counts = {count(url, "gateway_launches_total") for _ in range(10)}
    before = find_servers(parent)

    os.kill(min(before), signal.SIGKILL)
    wait_for("another process", lambda: len(find_servers(parent) - {min(before)}) == 2)
    wait_for("its answers", lambda: {LAUNCH in str(scrape_safely(url)) for _ in range(10)} == {True})
    counts |= {count(url, "gateway_launches_total") for _ in range(10)}

    assert [200] * 10 == statuses
    assert {launched + 10} == counts


def find_servers(parent: psutil.Process) -> set[int]:
    """Find the processes that serve."""
    return {child.pid for child in parent.children() if "spawn_main" in _read_command(child)}


def _read_command(process: psutil.Process) -> str:
    """Read the command of a process; of one that has ended meanwhile there is none."""
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def scrape_safely(url: str) -> Series:
    """Read all series; a connection that waited for a process that was killed gets none."""
    try:
        return scrape(url)
    except httpx.TransportError:
        return {}


def test_an_end_is_counted_once_over_all_gateways(world: World) -> None:
    """However many look at it: where it was written down first. So are the wait and the run of its task."""

    def count_ends() -> list[float]:
        names = ("gateway_finished_total", "gateway_queue_wait_seconds_count", "gateway_run_seconds_count")
        return [sum(count(url, name, task_type=TASK_TYPE) for url in world.urls) for name in names]

    def count_launches() -> float:
        return sum(count(url, "gateway_launches_total") for url in world.urls)

    with httpx.Client(base_url=world.urls[0]) as one, httpx.Client(base_url=world.urls[1]) as two:
        launched = [one.post(LAUNCH, json=BODY).json()["task_id"] for _ in range(3)]
        for task_id in launched:
            finish(one, task_id)
            finish(two, task_id)
    wait_for("all ends", lambda: count_ends()[0] >= count_launches())

    [ended, waited, ran] = count_ends()
    launches = count_launches()
    assert (launches, launches) == (
        ended,
        sum(count(url, "gateway_finished_total", outcome="SUCCESS") for url in world.urls),
    )
    assert 1 <= min(waited, ran) <= launches  # an end may be written before the event that tells when the task began


def test_five_hundred_restarts_of_a_worker_add_no_series(world: World) -> None:
    """No label names a worker: the series are the same before and after."""
    url = world.urls[1]
    first = {("gateway_open_tasks", frozenset[tuple[str, str]]()), ("gateway_workers_online", frozenset())}
    wait_for("the first looks", lambda: first <= scrape(url).keys())
    before = list_others(url)
    app = celery.Celery(broker=world.broker_url)
    with app.connection_for_write() as connection, app.events.Dispatcher(connection) as dispatcher:
        for number in range(RESTARTS):
            dispatcher.hostname = f"restarted-{number}@host"
            dispatcher.send("worker-online", sw_ident="py-celery", sw_ver="5.7.0", freq=2.0)
            dispatcher.send("worker-offline")
        dispatcher.hostname = "restarted-last@host"
        dispatcher.send("worker-online", freq=2.0)
    app.close()
    wait_for("the last of them", lambda: "restarted-last" in httpx.get(f"{url}/api/celery/stats").text)
    after = list_others(url)

    assert set() == after - before
    assert "restarted" not in str(scrape(url))


def list_others(url: str) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    """List the series but for those of routes and task types, of which each comes with its first request, or its first end."""
    return {(name, labels) for name, labels in scrape(url) if {"route", "task_type"}.isdisjoint(dict(labels))}


def test_a_gateway_shows_every_metric_that_is_declared(world: World) -> None:
    """None is written down in dashboards and alerts alone."""
    text = httpx.get(f"{world.urls[1]}/metrics").text

    assert [] == [family.name for family in FAMILIES if f"# TYPE {family.name}" not in text]
