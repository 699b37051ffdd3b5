"""Reloading is all or nothing: whatever becomes of the file, the last good catalog is served."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from gateway.catalog.catalog import Catalog
from gateway.catalog.deployment import Deployment
from gateway.errors import ConfigError
from gateway.loading import Sources, compile_sources, read_content
from gateway.reload import POLL_S, Reloader

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
TASKS = "version: 1\ntasks:\n  a.b: {{description: {words}}}\n"


class Place:
    """A file and what is served of it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tasks.yaml"
        self.write("first")
        content = read_content(self.path)
        self.served = _compile(content.open(), 1)
        self.installed: list[str] = []
        self.compiled = 0
        self.reloader = Reloader(
            self.path,
            self.served,
            content=content.digest,
            compile_catalog=self._compile,
            build=self._build,
            clock=lambda: NOW,
        )

    def write(self, words: str) -> None:
        """Write a sound file."""
        self.path.write_text(TASKS.format(words=words))

    def _compile(self, sources: Sources, generation: int) -> Catalog:
        self.compiled += 1
        return _compile(sources, generation)

    def _build(self, catalog: Catalog) -> Callable[[], None]:
        def install() -> None:
            self.served = catalog
            self.installed.append(catalog.task_types["a.b"].description)

        return install


def _compile(sources: Sources, generation: int) -> Catalog:
    return compile_sources(sources, Deployment(), generation=generation)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A file that is served."""
    return Place(tmp_path)


async def test_a_changed_file_takes_over(place: Place) -> None:
    """Under the next generation and its own digest; one that says the same changes nothing."""
    before = place.reloader.describe()
    place.write("second")
    state = await place.reloader.reload()
    place.path.write_text(place.path.read_text() + "# a remark\n")
    again = await place.reloader.reload()

    assert ["second"] == place.installed
    assert (2, place.served.digest) == (state.generation, state.digest)
    assert before.digest != state.digest
    assert state == again


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.write_text("tasks: ["), id="broken"),
        pytest.param(lambda path: path.write_text("version: 1\ntasks: {a.b: {qeue: x}}"), id="an unknown key"),
        pytest.param(lambda path: path.write_text(""), id="empty"),
        pytest.param(lambda path: path.unlink(), id="gone"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), id="an empty folder"),
        pytest.param(lambda path: (path.unlink(), os.mkfifo(path)), id="a pipe that nobody writes to"),
    ],
)
@pytest.mark.timeout(10)
async def test_a_file_that_cannot_be_served_changes_nothing(place: Place, spoil: Callable[[Path], object]) -> None:
    """But the record of the failure, which goes with the next good file; it is logged once for each content."""
    served = place.served
    spoil(place.path)

    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(ConfigError):
                await place.reloader.reload()
    failed = place.reloader.describe()

    assert served is place.served
    assert ([], 1, 3) == (place.installed, failed.generation, failed.failures)
    assert failed.failure is not None
    assert failed.failure.issues
    assert ["config_refused"] == [each["event"] for each in logs]


async def test_a_good_file_ends_a_failure(place: Place) -> None:
    """The count stays; the same content as before the failure is no new generation."""
    place.path.write_text("tasks: [")
    with pytest.raises(ConfigError):
        await place.reloader.reload()
    place.write("first")
    state = await place.reloader.reload()

    assert (None, 1, 1) == (state.failure, state.failures, state.generation)


@pytest.mark.timeout(20)
async def test_a_change_is_seen_however_it_is_made(place: Place, tmp_path: Path) -> None:
    """An edit, a file moved over it, a link that is swapped as Kubernetes does; a signal needs no change to look."""
    seen = asyncio.create_task(place.reloader.watch())
    await asyncio.sleep(POLL_S + 0.2)  # nothing has changed yet, and nothing must happen
    assert 0 == place.compiled

    place.write("edited")
    await until(lambda: place.installed == ["edited"])
    (tmp_path / "new").write_text(TASKS.format(words="moved"))
    (tmp_path / "new").rename(place.path)
    await until(lambda: place.installed[1:] == ["moved"])
    place.path.unlink()
    for words in ("linked", "swapped"):
        (tmp_path / words).mkdir()
        (tmp_path / words / "tasks.yaml").write_text(TASKS.format(words=words))
        (tmp_path / "data").symlink_to(tmp_path / words)
        (tmp_path / "data").rename(tmp_path / "..data")
        if not place.path.is_symlink():
            place.path.symlink_to(tmp_path / "..data" / "tasks.yaml")
        await until(lambda words=words: place.installed[-1] == words)  # type: ignore[misc]
    failures = place.reloader.describe().failures
    place.path.unlink()
    place.reloader.look_now()
    await until(lambda: place.reloader.describe().failures > failures)
    seen.cancel()


async def until(is_true: Callable[[], bool]) -> None:
    """Let the watch run until something is true."""
    while not is_true():  # noqa: ASYNC110 - what is waited for is a file being seen, which has no event
        await asyncio.sleep(0.02)


async def test_reloads_that_come_at_once_take_turns(place: Place) -> None:
    """Each reads the file as it stands; the last word is what is served."""
    for words in ("a", "b", "c"):
        place.write(words)
        await asyncio.gather(*(place.reloader.reload() for _ in range(5)))

    assert ["a", "b", "c"] == place.installed
    assert 4 == place.reloader.describe().generation
