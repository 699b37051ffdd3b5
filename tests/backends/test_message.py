"""Our message is Celery's own, but for ids and times: proved against `send_task` and a real queue."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.backends.kombu.app import make_app
from gateway.backends.redis.message import Lanes, build_message
from gateway.launch.launch import Launch
from gateway.launch.trace import Trace

THEN = datetime(2026, 11, 24, 10, 0, 0, 123_000, UTC)
TASK_ID = "01890000-0000-7000-8000-000000000000"


def make_launch(**changes: Any) -> Launch:
    """A launch with everything at rest."""
    fields: dict[str, Any] = {
        "task_id": TASK_ID, "task_type": "a.b", "name": "a.b", "params": {}, "queue": "compared",
        "keep_s": 60, "launched_at": THEN, "digest": "d", "generation": 1,
    }  # fmt: skip
    return Launch(**(fields | changes))


def open_up(raw: bytes) -> dict[str, Any]:
    """Decode an envelope and the body inside; take out what differs by nature."""
    message: dict[str, Any] = json.loads(raw)
    message["body"] = json.loads(base64.b64decode(message["body"]))
    assert message["properties"].pop("delivery_tag")
    assert message["headers"].pop("origin")
    # Celery adds the uuid of its own reply queue, which a gateway without result backend never reads.
    message["properties"].pop("reply_to")
    return message


@pytest.fixture(scope="module")
def queue(valkey_url: str) -> Any:
    """A real Redis broker, its app and its client."""
    url = f"{valkey_url[:-1]}3"
    app = make_app(url, lanes=Lanes(), deadline_s=2, default_queue="celery")
    with redis.Redis.from_url(url) as client:
        yield app, client
    app.close()


NAMES = st.text("abcdefgh_.", min_size=1, max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
MOMENTS = st.none() | st.datetimes(datetime(2027, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    params=st.dictionaries(NAMES, VALUES, max_size=4),
    priority=st.none() | st.integers(0, 12),
    eta=MOMENTS,
    expires_at=MOMENTS,
    limits=st.tuples(st.none() | st.integers(1, 99), st.none() | st.integers(1, 99)),
)
def test_our_message_equals_celerys(
    queue: Any,
    params: dict[str, Any],
    priority: int | None,
    eta: datetime | None,
    expires_at: datetime | None,
    limits: tuple[int | None, int | None],
) -> None:
    """For every option: the same headers, properties and body, in the same list."""
    app, client = queue
    launch = make_launch(
        launched_at=datetime.now(UTC), params=params, priority=priority, eta=eta, expires_at=expires_at,
        time_limit_s=limits[0], soft_time_limit_s=limits[1],
    )  # fmt: skip

    app.send_task(
        "a.b", kwargs=params, task_id=TASK_ID, queue="compared", priority=priority, eta=eta, expires=expires_at,
        time_limit=limits[0], soft_time_limit=limits[1],
    )  # fmt: skip
    theirs = open_up(client.rpop(Lanes().choose("compared", priority)))
    ours = open_up(build_message(launch, origin="1@host"))

    left_ms = [int(message["properties"].pop("expiration", 0)) for message in (theirs, ours)]
    assert left_ms[0] == pytest.approx(left_ms[1], abs=10_000)
    # Celery writes its repr with `saferepr`, which differs from repr() in how it cuts and escapes.
    assert theirs["headers"].pop("kwargsrepr")
    assert ours["headers"].pop("kwargsrepr")
    assert theirs == ours


@pytest.mark.parametrize("state", ["", 'vendor=a%b"\\'])
def test_a_trace_is_among_the_headers_as_celery_puts_it_there(queue: Any, state: str) -> None:
    """Where OpenTelemetry's instrumentation reads it; without one there is nothing of it."""
    app, client = queue
    trace = Trace(parent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", state=state)

    app.send_task("a.b", kwargs={}, task_id=TASK_ID, queue="compared", headers=trace.list_headers())
    theirs = open_up(client.rpop("compared"))
    ours, without = (open_up(build_message(make_launch(trace=each), origin="1@host")) for each in (trace, None))

    assert theirs == ours
    assert ours["headers"] == without["headers"] | trace.list_headers()


def test_a_secret_is_not_in_the_clear_outside_the_body() -> None:
    """`kwargsrepr` travels in the headers, into logs, events and Flower."""
    raw = build_message(
        make_launch(params={"token": "hunter2", "item": "tea"}, secret_names=frozenset({"token"})),
        origin="1@host",
    )

    message = open_up(raw)
    assert "{'token': '***', 'item': 'tea'}" == message["headers"]["kwargsrepr"]
    assert {"token": "hunter2", "item": "tea"} == message.pop("body")[1]
    assert "hunter2" not in json.dumps(message)


@pytest.mark.parametrize(
    ("priority", "name"),
    [(None, "p:q"), (0, "p:q"), (2, "p:q"), (3, "p:q\x06\x163"), (8, "p:q\x06\x166"), (255, "p:q\x06\x169")],
)
def test_each_priority_step_has_its_own_list(priority: int | None, name: str) -> None:
    """As Kombu's Redis transport chooses it."""
    assert name == Lanes(key_prefix="p:").choose("q", priority)
    assert name in Lanes(key_prefix="p:").list_all("q")
