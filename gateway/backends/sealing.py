"""Sealing: with a key of the gateway's and its workers', secret values leave as what only these can read.

What comes in: offers. What goes out: the same, each secret value sealed for the task that it is meant for, so that neither a
queue nor a backup of it holds one in clear. `gateway.worker.unsealing` opens them, and knows the form that is written here.
Source: NIST SP 800-38D; 96 random bits of nonce are good for four billion values under one key.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from gateway.launch.launch import Launch
from gateway.launch.offer import Offer, Outcome
from gateway.launch.withdrawal import Taking, Withdrawal
from gateway.ports import Publisher, Revocation

FORM: Final = "sealed:1"
"""Begins every sealed value; the id of its key, and nonce and cipher together, follow."""
NONCE_BYTES: Final = 12
KEY_ID_CHARACTERS: Final = 8


class Sealer:
    """Seals with one key."""

    def __init__(self, text: str) -> None:
        """Take the settings' key; of several the first one seals, and the others are the workers' to open with."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - six megabytes of whoever seals nothing

        first = text.partition(",")[0].rstrip("=").replace("+", "-").replace("/", "_")
        key = urlsafe_b64decode(f"{first}=")
        self._cipher = AESGCM(key)
        self._head = f"{FORM}:{sha256(key).hexdigest()[:KEY_ID_CHARACTERS]}"

    def seal(self, value: Any, *, task_id: str) -> str:
        """Seal a value for one task: it opens for no other one."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, msgspec.json.encode(value), task_id.encode())
        return f"{self._head}:{urlsafe_b64encode(sealed).decode()}"


def seal_secrets(publisher: Publisher, key: str) -> Publisher:
    """Return what seals before it publishes; without a key the publisher itself."""
    return SealingPublisher(publisher, Sealer(key)) if key else publisher


class SealingPublisher:
    """Seals the secret params of what it hands on."""

    def __init__(self, publisher: Publisher, sealer: Sealer) -> None:
        self._publisher = publisher
        self._sealer = sealer

    async def publish(self, offers: Sequence[Offer], *, all_or_nothing: bool = False) -> list[Outcome]:
        """Publish offers."""
        return await self._publisher.publish([self._seal(each) for each in offers], all_or_nothing=all_or_nothing)

    async def withdraw(self, wanted: Sequence[Withdrawal], wish: Revocation) -> dict[str, Taking]:
        """Take back messages, which nobody has to open for that."""
        return await self._publisher.withdraw(wanted, wish)

    def _seal(self, offer: Offer) -> Offer:
        launch = offer.launch
        secrets = launch.secret_names & launch.params.keys()
        return replace(offer, launch=self._seal_launch(launch, secrets)) if secrets else offer

    def _seal_launch(self, launch: Launch, secrets: frozenset[str]) -> Launch:
        sealed = {name: self._sealer.seal(launch.params[name], task_id=launch.task_id) for name in secrets}
        return replace(launch, params=launch.params | sealed)
