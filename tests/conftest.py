"""Real services for the tests, each started once per run and stopped with it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.demo.valkey import embedded_valkey
from tests.guarded import Guarded, run_guarded
from tests.harness import run_gateway, run_worker
from tests.rabbitmq import run_rabbitmq

TIMED = (
    "backends/test_blocking.py",
    "backends/test_deliveries.py",
    "backends/test_outbox.py",
    "backends/test_publisher.py",
    "backends/test_slow_results.py",
    "cli/test_dev.py",
    "cli/test_dev_gateway.py",
    "end_to_end/test_draining.py",
    "end_to_end/test_operating.py",
    "end_to_end/test_rabbitmq.py",
    "end_to_end/test_streams.py",
    "end_to_end/test_workers.py",
    "faults",
    "flows/test_probing.py",
    "worker/test_away.py",
)
"""What holds something to a time, or kills on purpose: it runs when little runs beside it."""
FIRST = ("end_to_end", "worker", "cli")
"""What waits for processes begins first, and what computes fills the gaps: else the longest files would be left for the end."""

# No test speaks TLS with httpx, and each of its clients would read all certificates of the machine: 22 ms of a processor, every
# time that somebody asks whether a gateway serves yet.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = os.devnull
# A shell starts what runs in its background deaf to Ctrl-C, and nohup to a hang-up; so would be all that the tests start. A handler,
# unlike deafness, is not handed on.
for each in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(each) is signal.SIG_IGN:
        signal.signal(each, signal.default_int_handler if each == signal.SIGINT else lambda *_: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what waits first, and mark what is held to a time; where connections are cut on purpose, httpx leaves the transports of some to the collector."""
    here = Path(__file__).parent
    items.sort(key=lambda item: not any(item.path.is_relative_to(here / each) for each in FIRST))
    for item in items:
        if any(item.path.is_relative_to(here / each) for each in TIMED):
            item.add_marker(pytest.mark.timed)
        if item.path.is_relative_to(here / "faults"):
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """A real Valkey."""
    with embedded_valkey() as url:
        yield url


@pytest.fixture(scope="module")
def lone_valkey_url() -> Iterator[str]:
    """One that nobody else uses, for tests that count commands or what lies in queues: the run's gateways work in the background, and other files leave tasks there."""
    with embedded_valkey() as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real RabbitMQ, for tests that leave it alive."""
    with run_rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as url:
        yield url


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes of this run write."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def worker(valkey_url: str, logs: Path) -> Iterator[Path]:
    """A real Celery worker on the run's Valkey; its log."""
    log = logs / "worker.log"
    with run_worker(log, valkey_url, DEMO_TASK_SECONDS="0.3"):
        yield log


@pytest.fixture(scope="session")
def gateway_url(valkey_url: str, logs: Path) -> Iterator[str]:
    """A real gateway on the run's Valkey."""
    with run_gateway(logs / "gateway.log", broker_url=valkey_url, workers_refresh_s="1") as url:
        yield url


@pytest.fixture(scope="session")
def guarded(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The same with API keys, one for each role of the demo's file; its ledger is its own."""
    folder = tmp_path_factory.mktemp("guarded")
    with run_guarded(folder, broker_url=valkey_url, key_prefix="guarded:", workers_refresh_s="1") as gateway:
        yield gateway


@pytest.fixture
def client(gateway_url: str) -> Iterator[httpx.Client]:
    """An HTTP client of the run's gateway."""
    with httpx.Client(base_url=gateway_url, timeout=10) as http:
        yield http
