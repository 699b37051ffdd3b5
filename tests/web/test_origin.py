"""Where a request comes from: nobody can say it of themselves."""

from typing import Any

import pytest

from gateway.errors import SettingsError
from gateway.web.origin import find_origin, read_networks

PROXIES = "10.0.0.0/8, ::1, 192.0.2.9"


def find(peer: str | None, *said: str, trusted: str = PROXIES) -> str:
    """Find the origin of a request of a peer with these X-Forwarded-For headers."""
    headers = [(b"x-forwarded-for", each.encode("latin-1")) for each in said]
    scope: Any = {"client": None if peer is None else (peer, 1), "headers": [*headers, (b"x-real-ip", b"6.6.6.6")]}
    return find_origin(scope, read_networks(trusted))


@pytest.mark.parametrize(
    ("peer", "said", "origin"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["1.2.3.4"], "203.0.113.7"),
        ("10.1.1.1", [], "10.1.1.1"),
        ("10.1.1.1", ["1.2.3.4"], "1.2.3.4"),
        ("10.1.1.1", ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        ("10.1.1.1", ["6.6.6.6", "1.2.3.4, 10.9.9.9"], "1.2.3.4"),
        ("10.1.1.1", ["10.2.2.2, 10.3.3.3"], "10.1.1.1"),
        ("10.1.1.1", ["6.6.6.6, garbage"], "10.1.1.1"),
        ("10.1.1.1", ["1.2.3.4, "], "10.1.1.1"),
        ("10.1.1.1", ["1.2.3.4\xff"], "10.1.1.1"),
        ("::ffff:10.1.1.1", ["1.2.3.4"], "1.2.3.4"),
        ("::1", ["2001:DB8::1"], "2001:db8::1"),
        (None, ["1.2.3.4"], ""),
    ],
)
def test_the_last_word_of_a_trusted_proxy_counts(peer: str | None, said: list[str], origin: str) -> None:
    """All that stands before it is hearsay."""
    assert origin == find(peer, *said)


def test_no_proxy_is_trusted_unless_it_is_named() -> None:
    """A thousand words make one address."""
    assert {"127.0.0.1"} == {find("127.0.0.1", f"10.0.{n % 256}.{n // 256}", trusted="") for n in range(1000)}


def test_what_is_no_network_is_refused_at_the_start() -> None:
    """With what is wrong with it."""
    with pytest.raises(SettingsError, match=r"^GATEWAY_TRUSTED_PROXIES: 10\.0\.0\.1/8 has host bits set$"):
        read_networks("10.0.0.1/8")
