"""A gateway with authentication, and a key for each role of the demo's file."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from gateway.access.keys import ENTROPY_BYTES, make_key, write_line
from gateway.cli.keys import append_line
from tests.harness import run_gateway


class Guarded(Struct, frozen=True):
    """One gateway, its keys and their file."""

    url: str
    keys: Mapping[str, str]
    """By the name, which is the role."""
    file: Path


def add_key(path: Path, role: str) -> str:
    """Make a key of a role, named like it."""
    key, key_id, kept = make_key(os.urandom(ENTROPY_BYTES))
    now = datetime.now(UTC)
    append_line(path, write_line(name=role, roles=[role], key_id=key_id, kept=kept, created_at=now, expires_at=None))
    return key


@contextmanager
def run_guarded(folder: Path, **settings: Any) -> Iterator[Guarded]:
    """Run a gateway that wants keys."""
    file = folder / "keys"
    keys = {role: add_key(file, role) for role in ("admin", "operators", "viewers", "strangers")}
    with run_gateway(folder / "gateway.log", api_keys_file=str(file), **settings) as url:
        yield Guarded(url, keys, file)
