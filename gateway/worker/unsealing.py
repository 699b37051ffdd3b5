"""Opening what a gateway sealed: the values of secret params, where it has a `GATEWAY_SECRET_KEY`.

What comes in: a value as the task got it. What goes out: the value as it was launched. It needs `cryptography`, which is
loaded with the first value that is sealed.
"""

import json
import os
from base64 import urlsafe_b64decode
from hashlib import sha256
from typing import Any, Final

from celery import current_task

FORM: Final = "sealed:1:"
NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32
KEY_ID_CHARACTERS: Final = 8
VARIABLE: Final = "GATEWAY_SECRET_KEY"


class UnsealError(Exception):
    """Raised for a sealed value that cannot be opened here: the key is missing, or it was sealed for another task."""


def unseal(value: Any, *, task_id: str | None = None, keys: str | None = None) -> Any:
    """Open a value; one that is not sealed comes back as it is.

    Shape: `task_id` is the running task's unless it is said, `keys` those of `GATEWAY_SECRET_KEY`, with commas between.
    Raises: UnsealError.
    """
    if not isinstance(value, str) or not value.startswith(FORM):
        return value
    key_id, _, text = value.removeprefix(FORM).partition(":")
    key = _find_key(key_id, os.environ.get(VARIABLE, "") if keys is None else keys)
    if task_id is None:
        task_id = current_task.request.id if current_task else None
    if not task_id:
        raise UnsealError("outside of a task, say which one the value was sealed for")
    return _open(text, key, task_id)


def _find_key(key_id: str, keys: str) -> bytes:
    for each in filter(None, keys.split(",")):
        key = _decode(each)
        if len(key) == KEY_BYTES and sha256(key).hexdigest()[:KEY_ID_CHARACTERS] == key_id:
            return key
    raise UnsealError(f"none of the keys in {VARIABLE} is {key_id}, with which the value was sealed")


def _open(text: str, key: bytes, task_id: str) -> Any:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - only workers with sealed values need it
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - as above

    sealed = _decode(text)
    try:
        opened = AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], task_id.encode())
    except (InvalidTag, ValueError) as error:
        raise UnsealError("the value was changed, or sealed for another task") from error
    return json.loads(opened)


def _decode(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text.strip().rstrip("=").replace("+", "-").replace("/", "_") + "==")
    except ValueError as error:
        raise UnsealError("a key or a sealed value is not base64") from error
