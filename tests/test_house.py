"""Rules of the house that no linter knows."""

import re
import subprocess
from pathlib import Path

import pytest

from gateway.cli import cli

ROOT = Path(__file__).parents[1]
MAX_LINES = 300
DEFINED = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)


def list_files(pattern: str) -> list[Path]:
    """List the files that git tracks; a tree without git is not the project's."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).exists()]


def test_no_file_answers_more_than_one_question() -> None:
    """At least none is so long that it must."""
    lengths = {str(path): len(path.read_text().splitlines()) for path in list_files("gateway/*.py")}

    assert lengths
    assert {} == {path: length for path, length in lengths.items() if length > MAX_LINES}


def test_every_command_is_in_the_readme() -> None:
    """Those of the CLI, and those of make."""
    readme = (ROOT / "README.md").read_text()
    targets = set(DEFINED.findall((ROOT / "Makefile").read_text())) - {"install", "help", "clean", "docs-assets"}

    assert [] == [name for name in cli.list_commands(None) if f"gateway {name}" not in readme]  # type: ignore[arg-type]
    assert [] == [name for name in sorted(targets) if f"make {name}" not in readme]


def test_locks_name_no_index() -> None:
    """Requirements are pinned by hash, wherever they come from."""
    for path in list_files("requirements/*.txt"):
        text = path.read_text()
        pinned = re.findall(r"^[a-z0-9].*==", text, re.MULTILINE)

        assert pinned
        assert len(pinned) <= text.count("--hash=sha256:")
        assert "://" not in text
        assert "index" not in text
