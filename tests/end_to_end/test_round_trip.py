"""What a caller sends is what a worker reads, or nothing: through a real gateway and Redis, with Kombu's own reader.

Rows F14, S20, S24, S25 and S26: envelopes, keys, duplicates, numbers and text.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kombu import Connection

from tests.harness import run_gateway

API = "/api/celery"
TASKS = """
version: 1
defaults: {queue: echo}
tasks:
  echo: {parameters: {value: {description: anything}}}
"""
UNKNOWN = "01890000-0000-7000-8000-000000000000"
KEYS = re.compile(
    r"(_kombu\.binding[a-z_.]*|echo|gateway:(identity|audit|totals|probe|open|history|history:type:echo|task:[0-9a-f-]{36}|key:[0-9a-f]{48}"
    r"|tally[a-z:]*|(settler|sweeper|observer|reconciler)[a-z:]*))"
)
"""All that may be in Redis after any number of launches, with whatever in them."""


class Echo:
    """A gateway, and the reading end of its queue."""

    def __init__(self, http: httpx.Client, url: str) -> None:
        self.http, self.url = http, url
        self.connection = Connection(url)
        self.queue = self.connection.SimpleQueue("echo")

    def send(self, value: Any, *, ensure_ascii: bool = True, **headers: str) -> httpx.Response:
        """Launch with a value."""
        body = json.dumps({"value": value}, ensure_ascii=ensure_ascii).encode("utf-8", "surrogatepass")
        return self.send_raw(body, **headers)

    def send_raw(self, body: bytes, **headers: str) -> httpx.Response:
        """Launch with the bytes of a body."""
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): each for name, each in headers.items()}
        return self.http.post(f"{API}/tasks/launch/echo", content=body, headers=sent)

    def read(self) -> Any:
        """Take the next message as a worker does; return its value."""
        message = self.queue.get(timeout=5)
        message.ack()
        return message.payload[1]["value"]


@pytest.fixture(scope="module")
def echo(lone_valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Echo]:
    """On an empty database."""
    folder, url = tmp_path_factory.mktemp("echo"), f"{lone_valkey_url[:-1]}7"
    config: Path = folder / "tasks.yaml"
    config.write_text(TASKS)
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    with (
        run_gateway(folder / "g.log", config=config, broker_url=url) as gateway,
        httpx.Client(base_url=gateway) as http,
    ):
        each = Echo(http, url)
        yield each
        each.queue.close()
        each.connection.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("_atyue", max_size=9), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON)
def test_whatever_is_accepted_reaches_the_worker_unchanged(echo: Echo, value: Any) -> None:
    """Types included."""
    answer = echo.send(value)

    assert 202 == answer.status_code, answer.text
    assert repr(value).replace("-0.0", "0.0") == repr(echo.read()).replace("-0.0", "0.0")


@pytest.mark.parametrize("depth", [0, 1, 60])
@pytest.mark.parametrize("type_", ["uuid", "datetime", "decimal", "bytes", "nothing"])
def test_kombus_envelope_does_not_pass(echo: Echo, depth: int, type_: str) -> None:
    """Known or not, its reader would make something else of it."""
    value: Any = {"__type__": type_, "__value__": "x"}
    for _ in range(depth):
        value = [value]

    answer = echo.send(value)

    assert (422, "reserved_object") == (answer.status_code, answer.json()["errors"][0]["code"])


TEXTS = [
    "\x00", "a\x00b", "\r\nSet-Cookie: a=b", "\x1b[31mred", "\u202egnp.exe", "\ufeffbom", "e\u0301", "\u00e9", "\u212b",
    "\u00c5", "ﬁ", "İi", "ß", "\U0001f469\u200d\U0001f4bb", "\U0010ffff", "\ufffe", "'; DROP TABLE tasks; --", "${jndi:ldap://x}",
    "{{7*7}}", "%s%n", "../../etc/passwd", "*", "{tag}", "KEYS *\r\n", "<script>", "\u2028\u2029", "x" * 8192, "",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:24])
def test_hostile_text_is_text(echo: Echo, text: str) -> None:
    """As a value and as a key, escaped or not; nothing is normalised, nothing reflected raw."""
    for ensure_ascii in (True, False):
        answer = echo.send({text: [text]}, ensure_ascii=ensure_ascii)

        assert 202 == answer.status_code, answer.text
        assert {text: [text]} == (read := echo.read())
        assert unicodedata.normalize("NFC", text) == unicodedata.normalize("NFC", next(iter(read)))


NUMBERS = [
    ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)), ("1e308", 1e308), ("5e-324", 5e-324),
    ("1.0", 1.0), ("1", 1), ("0.1", 0.1), ("9007199254740993", 9007199254740993), ("-0.0", -0.0), ("1E5", 1e5),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "number"), NUMBERS)
def test_a_number_is_that_number(echo: Echo, raw: str, number: float) -> None:
    """Of its own type, to the last bit."""
    assert 202 == echo.send_raw(f'{{"value":{raw}}}'.encode()).status_code
    assert repr(number) == repr(echo.read())


@pytest.mark.parametrize(
    "raw",
    [
        b'{"value":1,"value":2}', b'{"value":{"a":[{"b":1,"b":1}]}}', b'{"value":1,"v\\u0061lue":2}',
        b'{"value":9223372036854775808}', b'{"value":-9223372036854775809}', b'{"value":1e400}', b'{"value":NaN}',
        b'{"value":' + b"9" * 4301 + b"}", b'{"value":-Infinity}', b'{"value":"\\ud800"}', b'{"value":"\xed\xa0\x80"}',
        b'{"value":"\xff"}', b'{"value":"\xc0\x80"}', b'{"value":"\n"}', b'{"value":"\\ud800\\ud800"}',
    ],
)  # fmt: skip
def test_what_readers_would_disagree_on_is_malformed(echo: Echo, raw: bytes) -> None:
    """400, and nothing is launched."""
    answer = echo.send_raw(raw)

    assert (400, "malformed_body") == (answer.status_code, answer.json()["code"])


UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
IDS = [
    "*",
    "{tag}",
    "%00",
    "%0d%0aKEYS%20*",
    "a" * 8000,
    "..%2f..%2f",
    f"{UNKNOWN}%0a",
    "01890000-0000-7000-8000-00000000000F",
    "%F0%9F%98%80",
]


@pytest.mark.parametrize("task_id", IDS, ids=lambda each: each[:12])
def test_what_is_no_id_never_reaches_redis(echo: Echo, task_id: str) -> None:
    """404 on every route of a task; Redis is asked for rows of well-formed ids alone, whoever asks meanwhile."""
    with redis.Redis.from_url(echo.url) as client, client.monitor() as spy:
        answers = [
            echo.http.request(method, f"{API}/tasks/{task_id}{rest}")
            for method, rest in (("GET", ""), ("DELETE", ""), ("POST", "/retry"))
        ]
        client.echo("over")
        commands = list(iter(lambda: spy.next_command()["command"], "ECHO over"))

    assert {404} == {answer.status_code for answer in answers}
    asked_for = [found for each in commands for found in re.findall(r"gateway:(?:task|revoke|end):(\S+)", each)]
    assert not [each for each in asked_for if not UUID.fullmatch(each)]
    assert not [name for answer in answers for name in answer.headers if name in {"keys", "set-cookie"}]


def test_whatever_is_sent_the_keys_are_ours(echo: Echo) -> None:
    """No byte of a caller's stands in the name of a key."""
    with redis.Redis.from_url(echo.url) as client:
        before = set(client.scan_iter("gateway:key:*", count=1000))
    keys = ["*", "{tag}", "a" * 255, "../x", "~!@#$%^&*()", "gateway:task:1", UNKNOWN]
    for key in keys:
        answers = [echo.send(key, Idempotency_Key=key) for _ in range(2)]
        assert [202, 202] == [answer.status_code for answer in answers]
        assert answers[0].json() == answers[1].json()
        assert key == echo.read()
    with redis.Redis.from_url(echo.url) as client:
        names = {name.decode() for name in client.scan_iter(count=1000)}

    assert set() == {name for name in names if not KEYS.fullmatch(name)}
    assert len(keys) == sum(name.startswith("gateway:key:") for name in names) - len(before)


def test_a_key_is_free_again_when_its_window_is_over(echo: Echo) -> None:
    """Not before: until then it replays, and its receipt goes with it, not earlier (row F10)."""
    header = {"Idempotency_Key": "window"}
    first = echo.send("window", **header).json()
    with redis.Redis.from_url(echo.url) as client:
        [name] = [
            each
            for each in client.scan_iter("gateway:key:*", count=1000)
            if first["task_id"].encode() in (client.get(each) or b"")
        ]
        left_s = client.ttl(name)
        client.pexpire(name, 400)
        replayed = echo.send("window", **header).json()
        while client.exists(name):
            pass
        second = echo.send("window", **header).json()

    assert 86_400 - 10 < left_s <= 86_400
    assert first == replayed
    assert first["task_id"] != second["task_id"]
    assert ["window", "window"] == [echo.read(), echo.read()]
