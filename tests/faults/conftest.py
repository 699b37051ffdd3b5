"""The world that the fault tests break."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Valkey, a gateway and a worker."""
    world = World(tmp_path)
    try:
        world.start_broker()
        world.start_gateway()
        world.start_worker()
        yield world
    finally:
        world.close()


@pytest.fixture
def bare_world(tmp_path: Path) -> Iterator[World]:
    """Valkey alone: what is published stays in the queue."""
    world = World(tmp_path)
    try:
        world.start_broker()
        yield world
    finally:
        world.close()
