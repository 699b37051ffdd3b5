"""A task followed to its end, over connections that break."""

import socket

import pytest

from gateway.client.errors import AwayError, RefusedError, StrangeAnswerError
from gateway.client.following import Update, follow
from gateway.client.http import Client, read_base
from tests.client.contract import STATUS, TASK_ID, Contract, Reply, event, problem, reply, stream

EVENTS = f"GET /tasks/{TASK_ID}/events"


def follow_all(contract: Contract, *, give_up_s: float = 60) -> list[Update]:
    """Follow the task without a pause between two attempts."""
    client = Client(read_base(contract.url, "/api/celery"))
    return list(follow(client, TASK_ID, give_up_s=give_up_s, pause=lambda _: None))


def list_statuses(updates: list[Update]) -> list[tuple[str, bool]]:
    """List the statuses, and whether each is final."""
    return [(each.status.status, each.is_final) for each in updates if each.status is not None]


def list_ids(contract: Contract) -> list[str | None]:
    """List what each connection said it had seen last."""
    return [each.headers.get("Last-Event-ID") for each in contract.asked]


def test_one_connection_brings_every_status(contract: Contract) -> None:
    """To the final one, after which nothing is asked."""
    contract.lay(
        EVENTS,
        stream(event(1, "PENDING"), ": heartbeat\n\n", event(2, "STARTED"), event(3, "SUCCESS", kind="final")),
    )

    updates = follow_all(contract)

    assert [("PENDING", False), ("STARTED", False), ("SUCCESS", True)] == list_statuses(updates)
    assert [None] == list_ids(contract)
    assert updates[-1].body.startswith(b'{"task_id"')


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(stream(event(1, "PENDING"), event(2, "STARTED"), end="broken"), id="broken"),
        pytest.param(stream(event(1, "PENDING"), event(2, "STARTED")), id="closed"),
        pytest.param(
            stream(event(1, "PENDING"), event(2, "STARTED"), "event: bye\ndata: {}\n\n"), id="the gateway stops"
        ),
        pytest.param(
            stream(event(1, "PENDING"), event(2, "STARTED"), "id: 3-0\nevent: status\nda", end="broken"),
            id="in the middle of an event",
        ),
    ],
)
def test_a_connection_that_ends_early_is_resumed(contract: Contract, first: Reply) -> None:
    """After the last event that was whole: nothing is missed, and nothing comes twice."""
    contract.lay(EVENTS, first, stream(event(3, "SUCCESS", kind="final")))

    updates = follow_all(contract)

    assert [("PENDING", False), ("STARTED", False), ("SUCCESS", True)] == list_statuses(updates)
    assert [None, "2-0"] == list_ids(contract)


def test_a_gateway_that_is_away_for_a_while_is_waited_for(contract: Contract) -> None:
    """And what is the matter is told, once it is more than one connection that ended."""
    contract.lay(
        EVENTS,
        stream(event(1, "PENDING"), end="broken"),
        problem(503, "ledger_unavailable", "the ledger is away"),
        Reply(end="silent"),
        stream(),
        stream(event(2, "SUCCESS", kind="final")),
    )

    updates = follow_all(contract)

    assert [("PENDING", False), ("SUCCESS", True)] == list_statuses(updates)
    assert [None, "1-0", "1-0", "1-0", "1-0"] == list_ids(contract)
    troubles = [each.trouble for each in updates if each.trouble]
    assert 3 == len(troubles)
    assert ("the ledger is away", "the stream ended") == (troubles[0], troubles[2])
    assert "connection reset by peer" in troubles[1]


def test_the_pauses_grow_and_begin_anew_once_something_is_heard(contract: Contract) -> None:
    """A gateway that comes back is not met by a storm, and may say itself how long it wants to be left alone."""
    pauses: list[float] = []
    contract.lay(
        EVENTS,
        *[Reply(end="silent")] * 7,
        stream(": heartbeat\n\n"),
        stream("event: bye\ndata: {}\n\n"),
        stream("retry: 3000\n\n", event(2, "STARTED")),
        stream("retry: 99999999999\n\n", event(3, "STARTED")),
        stream(event(4, "SUCCESS", kind="final")),
    )

    list(follow(Client(read_base(contract.url, "/api/celery")), TASK_ID, pause=pauses.append))

    assert [0.1, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0, 0.1, 0.5, 3.0, 5.0] == pauses


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(Reply(end="silent"), AwayError, id="nobody"),
        pytest.param(problem(503, "x", "away"), RefusedError, id="a gateway that cannot serve"),
        pytest.param(stream(), AwayError, id="a stream that ends"),
    ],
)
def test_it_is_given_up_when_nothing_is_heard(contract: Contract, answer: Reply, error: type[Exception]) -> None:
    """For so long."""
    contract.lay(EVENTS, answer)

    with pytest.raises(error):
        follow_all(contract, give_up_s=0)


def test_what_was_seen_last_may_have_been_the_end(contract: Contract) -> None:
    """Nothing more is to come then, and the status says the rest."""
    contract.lay(EVENTS, stream(event(1, "SUCCESS"), end="broken"), Reply(status=204))
    contract.lay(f"GET /tasks/{TASK_ID}", reply({**STATUS, "status": "SUCCESS"}))

    updates = follow_all(contract)

    assert [("SUCCESS", False), ("SUCCESS", True)] == list_statuses(updates)


def test_a_refusal_is_not_waited_for(contract: Contract) -> None:
    """There is no such task, and there will be none."""
    with pytest.raises(RefusedError) as caught:
        follow_all(contract)

    assert (404, 1) == (caught.value.problem.status, len(contract.asked))


def test_an_event_that_is_no_status_is_told(contract: Contract) -> None:
    """It would come again and again."""
    contract.lay(EVENTS, stream("event: status\ndata: 7\n\n"))

    with pytest.raises(StrangeAnswerError):
        follow_all(contract)


def test_nobody_listening_is_an_error_at_last() -> None:
    """With the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Client(read_base(f"http://127.0.0.1:{listener.getsockname()[1]}", ""))

    with pytest.raises(AwayError, match="connection refused"):
        list(follow(client, TASK_ID, give_up_s=0, pause=lambda _: None))
