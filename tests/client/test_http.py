"""Requests to a gateway, and everything else that may answer at its address."""

import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from gateway.client.errors import AwayError, BadUrlError, RefusedError, StrangeAnswerError
from gateway.client.http import Client, read_base
from tests.client.contract import Contract, Reply, problem, reply
from tests.harness import need


@pytest.fixture
def client(contract: Contract) -> Client:
    """A client of the server."""
    return Client(read_base(contract.url, "/api/celery"), api_key="k-1")


@pytest.mark.parametrize(
    ("url", "prefix", "shown"),
    [
        ("http://127.0.0.1:8000", "/api/celery", "http://127.0.0.1:8000/api/celery"),
        ("http://127.0.0.1:8000/", "api/celery/", "http://127.0.0.1:8000/api/celery"),
        ("https://host/gw/", "/api", "https://host/gw/api"),
        ("http://[::1]:8000", "", "http://[::1]:8000"),
    ],
)
def test_url_and_prefix_make_one_address(url: str, prefix: str, shown: str) -> None:
    """However many slashes they have."""
    assert shown == read_base(url, prefix).url


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("127.0.0.1:8000", "'127.0.0.1:8000' is no URL of a gateway, as http://127.0.0.1:8000"),
        ("ftp://host", "'ftp://host' is no URL of a gateway, as http://127.0.0.1:8000"),
        ("http://", "'http://' is no URL of a gateway, as http://127.0.0.1:8000"),
        ("http://host/?a=1", "'http://host/?a=1' is no URL of a gateway, as http://127.0.0.1:8000"),
        ("http://user:hunter2@host", "the URL holds a user or a password; set GATEWAY_API_KEY to say who you are"),
        ("http://host:x", "GATEWAY_URL or --url is no URL: Port could not be cast to integer value as 'x'"),
    ],
)
def test_a_url_that_cannot_be_used_is_one_sentence(url: str, sentence: str) -> None:
    """Without the password that it may hold."""
    with pytest.raises(BadUrlError) as caught:
        read_base(url, "/api/celery")

    assert sentence == str(caught.value)


def test_a_key_that_no_header_can_have_is_refused() -> None:
    """And not shown."""
    with pytest.raises(BadUrlError) as caught:
        Client(read_base("http://host", ""), api_key="hunter2\n")

    assert "GATEWAY_API_KEY holds characters that no header can have" == str(caught.value)


def test_a_request_says_who_asks_and_for_what(contract: Contract, client: Client) -> None:
    """The key is a bearer token; steps of the path are escaped; members that are None are left out."""
    contract.lay("GET /tasks/a%2Fb%20c", reply({}))

    client.get("tasks", "a/b c", tag=None, dry_run=True, limit=3)

    asked = contract.asked[0]
    assert {"dry_run": "true", "limit": "3"} == asked.query
    assert "Bearer k-1" == asked.headers["Authorization"]


def test_an_empty_id_asks_for_nothing_else(client: Client) -> None:
    """The path of a task without its id is the catalog."""
    with pytest.raises(BadUrlError, match="an id or a name is empty"):
        client.get("tasks", "")


@pytest.mark.parametrize(
    ("answer", "status", "may_pass"),
    [
        (problem(409, "task_finished", "too late"), 409, False),
        (problem(503, "broker_unavailable", "away"), 503, True),
        (Reply(status=502, body=b"<html>", kind="text/html"), 502, True),
        (Reply(status=401, body=b"{", kind="application/problem+json"), 401, False),
    ],
)
def test_a_refusal_is_read_whoever_refused(
    contract: Contract, client: Client, answer: Reply, status: int, *, may_pass: bool
) -> None:
    """A problem as it is; of a proxy's page, what its status says."""
    contract.lay("GET /stats", answer)

    with pytest.raises(RefusedError) as caught:
        client.get("stats")

    assert (status, may_pass) == (caught.value.problem.status, caught.value.may_pass)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Reply(body=b"<html>", kind="text/html"), "it sent no JSON"),
        (Reply(status=302, headers=(("Location", "http://elsewhere/"),)), "it points to 'http://elsewhere/'"),
        (Reply(status=302), "it points to 'nowhere'"),
    ],
)
def test_what_is_no_gateway_is_told_and_not_followed(
    contract: Contract, client: Client, answer: Reply, sentence: str
) -> None:
    """The key reaches no other host."""
    contract.lay("GET /stats", answer)

    with pytest.raises(StrangeAnswerError) as caught:
        client.get("stats")

    assert f"what answers at {contract.url}/api/celery is no gateway: {sentence}" == str(caught.value)


def test_a_stream_that_is_none_is_told(contract: Contract, client: Client) -> None:
    """Before anything of it is read."""
    contract.lay("GET /tasks/events", reply({}))

    with pytest.raises(StrangeAnswerError, match="no event stream"), client.stream("tasks", "events", headers={}):
        pytest.fail("it was taken for a stream")


@pytest.mark.parametrize("end", ["silent", "broken"])
def test_an_answer_that_breaks_off_may_have_been_read(contract: Contract, client: Client, end: str) -> None:
    """So a launch is not repeated blindly."""
    contract.lay("POST /tasks/launch", Reply(body=b"{", end=end))

    with pytest.raises(AwayError) as caught:
        client.post("tasks", "launch", body={})

    assert caught.value.was_sent


def test_a_gateway_that_hangs_is_not_waited_for_without_end(contract: Contract) -> None:
    """It may have read the request."""
    contract.lay("GET /stats", Reply(end="held"))

    with pytest.raises(AwayError, match="it does not answer in time") as caught:
        Client(read_base(contract.url, "/api/celery"), timeout_s=0.1).get("stats")

    assert caught.value.was_sent


def test_a_gateway_that_is_not_there_has_read_nothing() -> None:
    """And is named."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(AwayError) as caught:
        Client(read_base(url, "/api")).get("tasks")

    assert f"no answer from {url}/api: connection refused" == str(caught.value)
    assert not caught.value.was_sent


def test_a_certificate_that_the_machine_does_not_trust_is_refused(tmp_path: Path) -> None:
    """Before the key is sent."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    make = [need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    make += ["-subj", "/CN=localhost", "-days", "1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(make, check=True, capture_output=True, timeout=20)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def accept() -> None:
        connection, _ = listener.accept()
        with connection, pytest.raises(ssl.SSLError):
            context.wrap_socket(connection, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        with pytest.raises(AwayError) as caught:
            Client(read_base(f"https://127.0.0.1:{listener.getsockname()[1]}", ""), api_key="k").get("tasks")
        thread.join()

    assert "its certificate is not trusted: self-signed certificate" in str(caught.value)
    assert not caught.value.was_sent
