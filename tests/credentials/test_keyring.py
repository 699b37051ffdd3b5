"""The keys file: what is taken from it, what is refused, and what holds on meanwhile."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.cli.keys import append_line
from gateway.credentials.keyring import Keyring
from gateway.errors import SettingsError
from tests.access.test_keys import make


def add(path: Path, *, name: str = "ci") -> bytes:
    """Add a key to a file; return it."""
    key, line = make(name=name)
    append_line(path, line)
    return key.encode()


async def knows(keyring: Keyring, *keys: bytes) -> list[bool]:
    """Tell which keys open."""
    return [await keyring.identify(each) is not None for each in keys]


async def test_a_new_key_opens_and_one_whose_line_is_gone_does_not(tmp_path: Path) -> None:
    """As soon as the file has been looked at again; both open while both stand there."""
    path = tmp_path / "keys"
    old = add(path)
    keyring = Keyring(path)
    new = add(path)

    before = await knows(keyring, old, new)
    await keyring.look()
    both = await knows(keyring, old, new)
    path.write_text("\n".join(each for each in path.read_text().splitlines() if old.decode()[4:12] not in each))
    await keyring.look()

    assert ([True, False], [True, True], [False, True]) == (before, both, await knows(keyring, old, new))
    assert (1, frozenset({"operators", "viewers"})) == (keyring.describe().keys, keyring.list_roles())


def _remove(path: Path) -> None:
    path.unlink()


def _open_to_all(path: Path) -> None:
    path.chmod(0o604)


def _make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _make_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_remove, "the keys file {} cannot be read (No such file or directory): make one with `gateway keys new`"),
        (_open_to_all, "the keys file {} can be used by everybody on this machine: chmod 600 {}"),
        (_make_a_folder, "the keys file {} is no regular file"),
        (_make_a_pipe, "the keys file {} is no regular file"),
    ],
)
async def test_a_file_that_is_none_is_refused_at_the_start_and_changes_nothing_later(
    tmp_path: Path, spoil: Callable[[Path], None], complaint: str
) -> None:
    """The last good keys hold on; it is logged once, and shown as long as it lasts."""
    path = tmp_path / "keys"
    key = add(path)
    keyring = Keyring(path)
    spoil(path)

    with capture_logs() as logs:
        await keyring.look()
        await keyring.look()
    with pytest.raises(SettingsError) as caught:
        Keyring(path)

    expected = complaint.format(path, path)
    assert (expected, expected) == (keyring.describe().failure, str(caught.value))
    assert [True] == await knows(keyring, key)
    assert ["keys_unreadable"] == [each["event"] for each in logs]


async def test_a_broken_line_closes_its_own_door_only(tmp_path: Path) -> None:
    """And is shown with its place."""
    path = tmp_path / "keys"
    first, second = add(path), add(path)
    path.write_text(path.read_text().replace(f"id={first.decode()[4:12]}", "id=?"))

    keyring = Keyring(path)

    assert [False, True] == await knows(keyring, first, second)
    assert [f"{path}:2:1: found a bad `id`, wanted 8 letters or digits"] == list(map(str, keyring.describe().issues))


async def test_an_empty_file_lets_nobody_in(tmp_path: Path) -> None:
    """It is a file of no keys, not one of no guard."""
    path = tmp_path / "keys"
    path.touch(0o600)

    assert [False] == await knows(Keyring(path), b"")
