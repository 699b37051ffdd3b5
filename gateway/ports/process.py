"""What a process stands on beside its flows, as narrow protocols: who asks, what is kept of it, what is served, what is ready."""

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

from gateway.access.caller import Caller
from gateway.access.deed import Deed
from gateway.ports.values import Authentication, ConfigState


class Audit(Protocol):
    """Keeps who did what, a bounded number of records."""

    lost: int
    """Records that nobody will find, since the process began."""

    def note(self, deed: Deed) -> None:
        """Take a deed, and never wait."""

    def sign(self, params: Mapping[str, Any]) -> str | None:
        """Return the digest of params, which hold nothing secret, for a deed; None where none is kept."""

    async def read(self, before: str | None) -> list[tuple[str, Deed]]:
        """Return the next records behind a position, the newest first, each with its own; none at the end."""


class Authenticator(Protocol):
    """Knows callers by what they present."""

    def identify(self, credential: bytes) -> Awaitable[Caller | None]:
        """Return whose key or token this is; None for one that is unknown, malformed or expired."""

    def describe(self) -> Authentication:
        """Return its state."""


class Config(Protocol):
    """The tasks.yaml that is served, and the way to another one."""

    def describe(self) -> ConfigState:
        """Return its state."""

    async def reload(self) -> ConfigState:
        """Read it again, on every gateway, and serve what it says.

        Raises: ConfigError with every issue, or SettingsError; then the old one is served on.
        """


class Probe(Protocol):
    """One thing the gateway stands on, as readiness sees it."""

    name: str
    warnings: tuple[str, ...]
    """What is dangerous about it though it answers, as far as that has been looked at."""

    async def check(self) -> None:
        """Return when it answers; raise a BackendError when it does not."""
