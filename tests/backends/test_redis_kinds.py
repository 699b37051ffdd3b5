"""Every way to reach a Redis, and every way in which one refuses: each with a code of its own."""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis
from redis.asyncio import Redis

from gateway.backends.redis.connection import connect, translate_url
from gateway.backends.redis.message import Lanes
from gateway.backends.redis.publisher import RedisPublisher
from gateway.demo.valkey import embedded_valkey, find_free_port
from gateway.errors import BrokerUnavailableError
from gateway.launch.offer import PUBLISHED, Offer, Outcome
from tests.backends.test_message import make_launch
from tests.harness import need, wait_for

HOST = "127.0.0.1"
DEADLINE_S = 5.0


async def publish(url: str, *, master: str = "mymaster", lanes: Lanes | None = None) -> Outcome:
    """Publish one launch over a client of its own."""
    client = connect(url, deadline_s=DEADLINE_S, sentinel_master=master)
    publisher = RedisPublisher(client, prefix="gw:", lanes=lanes or Lanes(), origin="t", deadline_s=DEADLINE_S)
    try:
        [outcome] = await publisher.publish([Offer(launch=make_launch(priority=5))])
    finally:
        await client.aclose()
    return outcome


@contextlib.contextmanager
def run_redis(folder: Path, *options: str, program: str = "redis-server", config: str = "") -> Iterator[None]:
    """Run Debian's Redis, which speaks TLS and plays a sentinel, with options of its own."""
    path = folder / "redis.conf"
    path.write_text(f'{config}\nbind {HOST}\ndir {folder}\nsave ""\n')
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen([need(program), str(path), *options], stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(5)


def wait_for_ping(client: redis.Redis) -> None:
    """Wait until a server answers."""

    def answers() -> bool:
        with contextlib.suppress(redis.exceptions.RedisError):
            return bool(client.ping())
        return False

    wait_for("Redis", answers)


def make_certificate(folder: Path) -> None:
    """Make a key and a certificate for loopback that signs itself."""
    subprocess.run(
        [
            need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=localhost", "-addext", f"subjectAltName=IP:{HOST}",
            "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"),
        ],
        check=True, capture_output=True,
    )  # fmt: skip


def test_tls_with_a_password_and_a_database(tmp_path: Path) -> None:
    """As Celery writes the URL; a certificate that nobody vouches for is refused."""
    make_certificate(tmp_path)
    port = find_free_port(HOST)
    tls = f"port 0\ntls-port {port}\ntls-cert-file {tmp_path}/cert.pem\ntls-key-file {tmp_path}/key.pem"
    url = f"rediss://:hunter2@{HOST}:{port}/3?ssl_cert_reqs=CERT_REQUIRED"
    with (
        run_redis(tmp_path, config=f"{tls}\ntls-auth-clients no\nrequirepass hunter2"),
        redis.Redis.from_url(f"{translate_url(url)}&ssl_ca_certs={tmp_path}/cert.pem") as client,
    ):
        wait_for_ping(client)
        trusted = asyncio.run(publish(f"{url}&ssl_ca_certs={tmp_path}/cert.pem"))
        stranger = asyncio.run(publish(url))
        queued = client.llen("compared\x06\x163")

    assert PUBLISHED == trusted
    assert 1 == queued
    assert isinstance(stranger, BrokerUnavailableError)


def test_a_unix_socket(tmp_path: Path) -> None:
    """As Celery writes it, with the database as `virtual_host`."""
    socket = tmp_path / "s"
    with (
        run_redis(tmp_path, config=f"port 0\nunixsocket {socket}"),
        redis.Redis(unix_socket_path=str(socket), db=2) as client,
    ):
        wait_for_ping(client)
        outcome = asyncio.run(publish(f"redis+socket://{socket}?virtual_host=2"))
        queued = client.llen("compared\x06\x163")

    assert (PUBLISHED, 1) == (outcome, queued)


def test_a_failover_is_followed_through_the_sentinels(tmp_path: Path) -> None:
    """The master that they name gets the launch, also after it has changed."""
    ports = [find_free_port(HOST) for _ in range(3)]
    folders = [tmp_path / name for name in ("first", "second", "sentinel")]
    for folder in folders:
        folder.mkdir()
    watch = f"port {ports[2]}\nsentinel monitor shop {HOST} {ports[0]} 1\nsentinel down-after-milliseconds shop 500"
    url = f"sentinel://{HOST}:{find_free_port(HOST)};sentinel://{HOST}:{ports[2]}/0"
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(run_redis(folders[0], config=f"port {ports[0]}"))
        stack.enter_context(run_redis(folders[1], config=f"port {ports[1]}\nreplicaof {HOST} {ports[0]}"))
        replica = stack.enter_context(redis.Redis(port=ports[1]))
        wait_for("the replica", lambda: _is_linked(replica))
        stack.enter_context(run_redis(folders[2], "--sentinel", config=watch))
        sentinel = stack.enter_context(redis.Redis(port=ports[2]))
        wait_for("the sentinel", lambda: _sees_replica(sentinel))
        before = asyncio.run(publish(url, master="shop"))
        wait_for("the replica's copy", lambda: replica.llen("compared\x06\x163") == 1)
        first.close()
        wait_for("the failover", lambda: replica.role()[0] == b"master", limit_s=20)
        after = wait_for("the new master", lambda: (it := asyncio.run(publish(url, master="shop"))) == PUBLISHED and it)
        queued = replica.llen("compared\x06\x163")

    assert (PUBLISHED, PUBLISHED, 2) == (before, after, queued)


def _is_linked(client: redis.Redis) -> bool:
    with contextlib.suppress(redis.exceptions.RedisError):
        return bool(client.info("replication")["master_link_status"] == "up")
    return False


def _sees_replica(client: redis.Redis) -> bool:
    with contextlib.suppress(redis.exceptions.RedisError):
        return len(client.execute_command("SENTINEL", "REPLICAS", "shop")) == 1
    return False


def test_steps_and_separator_of_ones_own(valkey_url: str) -> None:
    """As Celery's transport options `priority_steps` and `sep` have them."""
    url = f"{valkey_url[:-1]}11"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        outcome = asyncio.run(publish(url, lanes=Lanes(key_prefix="p:", steps=(0, 4, 5, 8), separator=":")))

        assert (PUBLISHED, 1) == (outcome, client.llen("p:compared:5"))


@pytest.fixture
async def own() -> AsyncIterator[tuple[str, Redis]]:
    """A Valkey of the test's own, and its client."""
    with embedded_valkey() as url:
        client = Redis.from_url(url)
        yield url, client
        await client.aclose()


async def fill(_: str, client: Redis) -> None:
    """Leave no memory."""
    await client.config_set("maxmemory", "1")


async def break_disk(_: str, client: Redis) -> None:
    """Let a snapshot fail, as on a full disk."""
    folder = (await client.config_get("dir"))["dir"]
    await client.config_set("appendonly", "no")
    await client.config_set("save", "3600 1")
    shutil.rmtree(folder)
    await client.bgsave()
    async with asyncio.timeout(5):
        while (await client.info("persistence"))["rdb_last_bgsave_status"] != "err":  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(0.01)


async def follow_another(_: str, client: Redis) -> None:
    """Make it a replica."""
    await client.replicaof(HOST, find_free_port(HOST))


async def want_password(_: str, client: Redis) -> None:
    """Set one that nobody told the gateway."""
    await client.config_set("requirepass", "hunter2")


async def fill_connections(_: str, client: Redis) -> None:
    """Allow no more clients than there are."""
    await client.config_set("maxclients", "1")


@pytest.mark.parametrize(
    ("ail", "code", "sentence"),
    [
        pytest.param(fill, "broker_full", "the broker is out of memory", id="OOM"),
        pytest.param(break_disk, "broker_cannot_save", "the broker cannot save to its disk", id="MISCONF"),
        pytest.param(follow_another, "broker_read_only", "the broker is a read-only replica", id="READONLY"),
        pytest.param(want_password, "broker_login", "the broker refuses the password, or wants one", id="NOAUTH"),
        pytest.param(fill_connections, "broker_busy", "the broker has no connection left", id="max clients"),
    ],
)
async def test_each_refusal_has_a_code_of_its_own(
    own: tuple[str, Redis], ail: object, code: str, sentence: str
) -> None:
    """And leaves nothing behind."""
    url, client = own
    await ail(url, client)  # type: ignore[operator]

    outcome = await publish(url)

    assert isinstance(outcome, BrokerUnavailableError)
    assert (code, sentence) == (outcome.code, str(outcome))
