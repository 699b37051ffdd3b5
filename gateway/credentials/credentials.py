"""All by which callers are known: API keys, tokens, or both."""

from collections.abc import Awaitable, Callable, Coroutine
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from gateway.access.caller import Caller
from gateway.access.keys import MARK
from gateway.credentials.keyring import Keyring
from gateway.ports import Authentication, Authenticator
from gateway.settings import Settings

_MARK = MARK.encode()


class Source(Authenticator, Protocol):
    """One way to know callers, which changes while the process lives."""

    async def watch(self) -> None:
        """Look for changes, until cancelled."""


class Credentials:
    """Knows callers by whichever they present."""

    def __init__(self, keyring: Keyring | None, tokens: Source | None) -> None:
        self._keyring = keyring
        self._tokens = tokens

    def identify(self, credential: bytes) -> Awaitable[Caller | None]:
        """Return whose key or token this is; None for one that is unknown, malformed or expired."""
        known_by = self._keyring if credential.startswith(_MARK) else self._tokens
        return _know_nobody() if known_by is None else known_by.identify(credential)

    def describe(self) -> Authentication:
        """Return the state of both."""
        keys = Authentication() if self._keyring is None else self._keyring.describe()
        tokens = Authentication() if self._tokens is None else self._tokens.describe()
        return Authentication(
            kinds=(*keys.kinds, *tokens.kinds),
            keys=keys.keys,
            issues=keys.issues,
            failure="; ".join(each for each in (keys.failure, tokens.failure) if each) or None,
        )

    def list_roles(self) -> frozenset[str]:
        """Return every role that a key has; those of tokens are known once these come."""
        return frozenset() if self._keyring is None else self._keyring.list_roles()

    @property
    def runs(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What looks at the sources of both, each until it is cancelled."""
        return [each.watch for each in (self._keyring, self._tokens) if each is not None]


async def _know_nobody() -> None:
    """Stand for the source that is not configured."""


def make_credentials(settings: Settings) -> Credentials | None:
    """Read what the settings name; None where they name nothing, and everybody may do everything.

    Raises: SettingsError.
    """
    keyring = Keyring(Path(settings.api_keys_file)) if settings.api_keys_file else None
    tokens = None
    if settings.token_keys:  # cryptography takes a fifth of a second to import, which no other gateway waits for
        tokens = import_module("gateway.credentials.tokens").Tokens(settings)
    return None if keyring is None and tokens is None else Credentials(keyring, tokens)
