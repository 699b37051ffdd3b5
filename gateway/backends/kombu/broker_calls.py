"""Blocking calls to a broker through Kombu, and what its transports raise, in our words."""

from kombu.exceptions import ChannelError

from gateway.backends.blocking import BlockingCalls
from gateway.errors import BrokerUnavailableError


def make_broker_calls(*, size: int, backlog: int, deadline_s: float, name: str) -> BlockingCalls:
    """Make a pool whose every failure is the broker's."""
    return BlockingCalls(
        size=size,
        backlog=backlog,
        deadline_s=deadline_s,
        name=name,
        what="the broker",
        error=BrokerUnavailableError,
        blame=blame,
    )


def blame(error: Exception) -> BrokerUnavailableError:
    """Say in a few words what ails a broker, without its address or any payload."""
    cause = error.__cause__ or error
    if isinstance(cause, TimeoutError) or "timed out" in str(cause).lower():
        return BrokerUnavailableError("the broker does not answer in time")
    if "ACCESS_REFUSED" in str(cause) or "auth" in type(cause).__name__.lower():
        return BrokerUnavailableError("the broker refuses the password", reason="login")
    if isinstance(cause, OSError) or "connect" in type(cause).__name__.lower():
        return BrokerUnavailableError("the broker cannot be reached")
    if isinstance(cause, ChannelError):
        return BrokerUnavailableError(f"the broker refuses the message ({type(cause).__name__})", reason="refused")
    # Kombu and its transports raise whatever a connection that broke half-way makes them stumble over.
    return BrokerUnavailableError(f"the broker cannot be used ({type(cause).__name__})")
