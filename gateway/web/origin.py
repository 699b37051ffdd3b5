"""Where a request comes from: whoever is connected, or whom a trusted proxy names, and nobody whom the client names itself."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from gateway.errors import SettingsError
from gateway.web.answers import Scope

MOST_HOPS: Final = 16
Networks = tuple[IPv4Network | IPv6Network, ...]


def read_networks(text: str) -> Networks:
    """Read addresses and networks, as `10.0.0.0/8,::1`.

    Raises: SettingsError.
    """
    try:
        return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())
    except ValueError as error:
        raise SettingsError(f"GATEWAY_TRUSTED_PROXIES: {error}") from error


def find_origin(scope: Scope, trusted: Networks) -> str:
    """Return the address of the client; empty where there is none, as on a socket of the file system.

    A proxy adds to the end of `X-Forwarded-For`: what stands before the last address that no trusted proxy has is hearsay.
    """
    client = scope.get("client")
    peer: str = client[0] if client else ""
    if not trusted or not is_trusted(peer, trusted):
        return peer
    said = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    hops = [each.strip() for each in b",".join(said).decode("latin-1").split(",")]
    return _find_last_stranger(hops[-MOST_HOPS:], trusted) or peer


def _find_last_stranger(hops: Sequence[str], trusted: Networks) -> str | None:
    for hop in reversed(hops):
        address = _read(hop)
        if address is None:
            return None
        if not is_trusted(hop, trusted):
            return str(address)
    return None


@lru_cache(maxsize=1024)
def is_trusted(text: str, trusted: Networks) -> bool:
    """Tell whether an address is one of a trusted proxy."""
    address = _read(text)
    return address is not None and any(address in each for each in trusted)


def _read(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
