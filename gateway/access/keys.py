"""API keys: how one is made, what is kept of it, and whether one that is presented is that one.

What comes in: random bytes, the content of a keys file. What goes out: a key, shown once; the line that is kept; the keys of
a file, and an issue for each line that is none. A key holds 256 random bits, so that nobody guesses it however fast a guess
is checked: one round of a salted hash keeps it, where a password would need a slow one.
"""

import binascii
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import blake2b
from hmac import compare_digest
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from gateway.access.caller import Caller
from gateway.config.issues import make_issue_at
from gateway.config.words import suggest
from gateway.errors import Issue

MARK: Final = "tgk_"
"""How every key begins, for people and for scanners of secrets."""
ID_LENGTH: Final = 8
SECRET_LENGTH: Final = 43
CHECK_LENGTH: Final = 6
LENGTH: Final = len(MARK) + ID_LENGTH + SECRET_LENGTH + CHECK_LENGTH
SECRET_BYTES: Final = 32
ID_BYTES: Final = 5
SALT_BYTES: Final = 16
ENTROPY_BYTES: Final = SECRET_BYTES + ID_BYTES + SALT_BYTES
DIGEST_BYTES: Final = 32
NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"
ROLE: Final = r"[a-z][a-z0-9_-]{0,63}"
MAX_BYTES: Final = 1_048_576
_ID: Final = slice(len(MARK), len(MARK) + ID_LENGTH)
_WHOLE: Final = slice(LENGTH + 1)
"""One byte more than a key has: what is longer is none."""
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PERSON: Final = b"task gateway key"
_SHAPES: Final = {
    "name": NAME,
    "roles": rf"{ROLE}(,{ROLE})*",
    "id": rf"[0-9A-Za-z]{{{ID_LENGTH}}}",
    "salt": rf"[0-9a-f]{{{2 * SALT_BYTES}}}",
    "digest": rf"[0-9a-f]{{{2 * DIGEST_BYTES}}}",
    "created_at": r"\S{1,40}",
    "expires_at": r"\S{1,40}",
}
_WORDS: Final = {
    "name": "letters, digits and `._@-`, at most 64",
    "roles": "roles joined by commas, each of small letters, digits, `_` and `-`",
    "id": f"{ID_LENGTH} letters or digits",
    "salt": f"{SALT_BYTES} bytes in hexadecimal",
    "digest": f"{DIGEST_BYTES} bytes in hexadecimal",
    "created_at": "a moment with its UTC offset, as 2026-01-31T12:00:00Z",
    "expires_at": "a moment with its UTC offset, as 2026-01-31T12:00:00Z",
}
_NEEDED: Final = ("name", "roles", "id", "salt", "digest")


class ApiKey(Struct, frozen=True, kw_only=True):
    """What is kept of one key."""

    id: str
    """The part of the key that is no secret, and finds it."""
    caller: Caller
    salt: bytes
    digest: bytes
    expires_at: float | None = None
    """In seconds since 1970."""

    def __repr__(self) -> str:
        """Name the key without what is kept of its secret."""
        return f"ApiKey({self.id!r}, {self.caller!r})"


def make_key(entropy: bytes) -> tuple[str, str, str]:
    """Make a key of `ENTROPY_BYTES` random bytes; return the key, its id, and the fields `salt` and `digest` of its line."""
    secret, rest = entropy[:SECRET_BYTES], entropy[SECRET_BYTES:]
    key_id = _write_digits(rest[:ID_BYTES], ID_LENGTH)
    body = f"{MARK}{key_id}{_write_digits(secret, SECRET_LENGTH)}"
    key, salt = body + _check(body), rest[ID_BYTES:]
    return key, key_id, f"salt={salt.hex()} digest={_hash(key.encode(), salt).hex()}"


def is_well_formed(key: str) -> bool:
    """Tell whether a text is a key that was copied whole, known or not."""
    return len(key) == LENGTH and key.startswith(MARK) and _check(key[:-CHECK_LENGTH]) == key[-CHECK_LENGTH:]


def find_caller(keys: Mapping[str, ApiKey], presented: bytes, *, now: float) -> Caller | None:
    """Return whose key is presented; None for one that is unknown or has expired.

    However it ends, the same work is done: how long it takes says nothing about any key.
    """
    key = keys.get(str(presented[_ID], "latin-1"), _NO_KEY)
    is_it = compare_digest(_hash(presented[_WHOLE], key.salt), key.digest)
    if not is_it or key is _NO_KEY or (key.expires_at is not None and now >= key.expires_at):
        return None
    return key.caller


def write_line(
    *, name: str, roles: Iterable[str], key_id: str, kept: str, created_at: datetime, expires_at: datetime | None
) -> str:
    """Write the line of a key; `kept` is what `make_key` returned."""
    moments = {"created_at": created_at, "expires_at": expires_at}
    told = " ".join(f"{word}={_write_moment(moment)}" for word, moment in moments.items() if moment is not None)
    return f"name={name} roles={','.join(roles)} {told} id={key_id} {kept}"


def read_keys(data: bytes, *, file: str) -> tuple[dict[str, ApiKey], tuple[Issue, ...]]:
    """Read a keys file: every line that is sound is a key, by its id, and every other one an issue, never an open door.

    Issues quote nothing of a line: it may well hold a key in clear.
    """
    keys: dict[str, ApiKey] = {}
    lines: dict[str, int] = {}
    issues: list[Issue] = []
    if len(data) > MAX_BYTES:
        found = f"more than {MAX_BYTES} bytes"
        return {}, (make_issue_at(file, 1, 1, (), found=found, wanted="a file of keys"),)
    for number, raw in enumerate(data.splitlines(), start=1):
        line = raw.decode("utf-8", "replace").strip()
        if not line or line.startswith("#"):
            continue
        read = _read_line(line)
        if isinstance(read, ApiKey) and read.id in keys:
            read = ("the id of another line", f"each key once; the first is at line {lines[read.id]}", None)
        if isinstance(read, ApiKey):
            keys[read.id], lines[read.id] = read, number
        else:
            found, wanted, hint = read
            issues.append(make_issue_at(file, number, 1, (), found=found, wanted=wanted, hint=hint))
    return keys, tuple(issues)


_Complaint = tuple[str, str, str | None]


def _read_line(line: str) -> ApiKey | _Complaint:
    members: dict[str, str] = {}
    for word in line.split():
        name, equals, value = word.partition("=")
        if not equals:
            hint = "a key itself never stands here: make its line with `gateway keys new`" if MARK in word else None
            return "a word without `=`", f"name=value for each of {', '.join(_SHAPES)}", hint
        if name not in _SHAPES:
            return "an unknown field", f"one of {', '.join(_SHAPES)}", suggest(name[:32], _SHAPES)
        if name in members:
            return f"`{name}` twice", "each field once", None
        if not re.fullmatch(_SHAPES[name], value):
            return f"a bad `{name}`", _WORDS[name], None
        members[name] = value
    missing = [name for name in _NEEDED if name not in members]
    if missing:
        return f"no `{missing[0]}`", f"{', '.join(_NEEDED)} on every line", None
    return _make_key(members)


def _make_key(members: Mapping[str, str]) -> ApiKey | _Complaint:
    try:
        expires_at = msgspec.convert(members.get("expires_at"), Annotated[datetime, Meta(tz=True)] | None)
    except msgspec.ValidationError:
        return "a bad `expires_at`", _WORDS["expires_at"], None
    return ApiKey(
        id=members["id"],
        caller=Caller(id=f"key:{members['name']}", roles=frozenset(members["roles"].split(",")), kind="key"),
        salt=bytes.fromhex(members["salt"]),
        digest=bytes.fromhex(members["digest"]),
        expires_at=None if expires_at is None else expires_at.timestamp(),
    )


def _hash(key: bytes, salt: bytes) -> bytes:
    return blake2b(key, digest_size=DIGEST_BYTES, salt=salt, person=_PERSON).digest()


def _check(body: str) -> str:
    return _write_digits(binascii.crc32(body.encode()).to_bytes(4), CHECK_LENGTH)


def _write_digits(data: bytes, length: int) -> str:
    """Write bytes as digits of base 62, the last ones of what they amount to."""
    number, digits = int.from_bytes(data), ""
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


def _write_moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


_NO_KEY = ApiKey(
    id="", caller=Caller(id="", roles=frozenset(), kind="nobody"), salt=bytes(SALT_BYTES), digest=bytes(DIGEST_BYTES)
)
"""Stands for the key that is not there, so that the same work is done."""
