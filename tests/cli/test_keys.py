"""`gateway keys new` and `gateway can` as a user meets them."""

import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.access.keys import is_well_formed
from gateway.cli import cli
from tests.harness import ROOT


def run(*argv: str, **env: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(cli, argv, env={"GATEWAY_CONFIG": str(ROOT / "tasks.yaml"), **env})


def new(path: Path, *options: str) -> Result:
    """Make a key."""
    return run("keys", "new", "--file", str(path), *options)


def test_a_key_is_shown_once_and_its_file_is_its_owners_alone(tmp_path: Path) -> None:
    """The file keeps everything but the key."""
    path = tmp_path / "keys"

    made = new(path, "--name", "ci", "--role", "operators", "--role", "viewers", "--expires", "90d")
    again = new(path, "--name", "eve", "--role", "admin")

    key, text = made.stdout.strip(), path.read_text()
    assert (0, 0, 0o600) == (made.exit_code, again.exit_code, stat.S_IMODE(path.stat().st_mode))
    assert is_well_formed(key)
    assert key[4:12] in text
    assert key[12:] not in text
    assert "name=ci roles=operators,viewers created_at=" in text
    assert " expires_at=" in text
    assert 3 == len(text.splitlines())


def test_the_first_key_is_made_once(tmp_path: Path) -> None:
    """However often a deployment starts."""
    path = tmp_path / "keys"

    results = [new(path, "--first", "--name", "demo", "--role", "admin") for _ in range(2)]

    assert [True, False] == [bool(each.stdout) for each in results]
    assert 2 == len(path.read_text().splitlines())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--name", "a b", "--role", "x"), "a name is letters, digits and `._@-`, at most 64"),
        (("--name", "a", "--role", "X"), "a role is small letters, digits, `_` and `-`, and begins with a letter"),
        (("--name", "a", "--role", "x", "--expires", "soon"), "--expires: 'soon' is no duration, as 90d or 12h"),
        (("--name", "a", "--role", "x", "--expires", "0s"), "--expires: a key that has expired opens nothing"),
        (("--name", "a"), "Missing option '--role'."),
    ],
)
def test_what_is_no_key_is_refused(tmp_path: Path, options: tuple[str, ...], complaint: str) -> None:
    """And no file is made."""
    made = new(tmp_path / "keys", *options)

    assert 2 == made.exit_code
    assert complaint in made.stderr
    assert not (tmp_path / "keys").exists()


def test_a_file_that_others_may_read_gets_no_key(tmp_path: Path) -> None:
    """It says how that is mended."""
    path = tmp_path / "keys"
    path.touch(0o644)

    made: Any = new(path, "--name", "ci", "--role", "operators")

    assert f"the keys file {path} can be used by everybody on this machine: chmod 600 {path}" == str(made.exception)
    assert "" == path.read_text()


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (("operators", "launch", "sii.sync_f29"), 0, "operators may launch sii.sync_f29: {}:26: launch is given to operators"),
        (("ci", "read_result", "sii.sync_f29"), 1, "ci (viewers) may not read result sii.sync_f29: {}:28: read_result is given to operators"),
        (("key:ci", "stats"), 0, "key:ci (viewers) may stats: {}:18: stats is given to viewers"),
        (("ci", "see", "sii.sync_f29"), 0, "ci (viewers) may see sii.sync_f29: {}:27: read is given to viewers"),
        (("viewrs", "stats"), 2, "no role 'viewrs', and no key of that name in {keys}: did you mean `viewers`?"),
        (("admin", "stats", "sii.sync_f29"), 2, "stats is done with the gateway, not with a task type"),
        (("admin", "launch"), 2, "launch is done with a task type: name one"),
        (("admin", "launch", "sii.sync_f92"), 2, "no task type 'sii.sync_f92': did you mean `sii.sync_f29`?"),
    ],
)  # fmt: skip
def test_can_names_the_line_that_decides(tmp_path: Path, argv: tuple[str, ...], code: int, said: str) -> None:
    """For a role, and for a key by its name."""
    path = tmp_path / "keys"
    new(path, "--name", "ci", "--role", "viewers")

    found = run("can", *argv, GATEWAY_API_KEYS_FILE=str(path))

    assert code == found.exit_code
    assert said.format(ROOT / "tasks.yaml", keys=path) in found.output
