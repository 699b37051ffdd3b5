"""`gateway plan` as a user meets it: text, JSON, exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import ROOT, clean_environment

OLD = "version: 1\ntasks: {a: {parameters: {n: {type: integer, maximum: 9}}}}\n"
WIDER = OLD.replace("9", "10")
NARROWER = OLD.replace("9", "8")


def plan(folder: Path, old: str, new: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `gateway plan` on two contents."""
    (folder / "old.yaml").write_text(old)
    (folder / "new.yaml").write_text(new)
    argv = [sys.executable, "-m", "gateway", "plan", "old.yaml", "new.yaml", *options]
    env = clean_environment() | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("new", "code", "lines"),
    [
        pytest.param(OLD, 0, ["Nothing changes."], id="same"),
        pytest.param(
            WIDER,
            0,
            ["a", "  safe for callers  parameters.n.maximum: from 9 to 10", "", "1 change, nothing breaks."],
            id="safe",
        ),
        pytest.param(
            NARROWER,
            3,
            ["a", "  breaks callers    parameters.n.maximum: from 9 to 8", "", "1 change: 1 breaking for callers."],
            id="breaking",
        ),
    ],
)
def test_the_exit_code_tells_whether_something_breaks(tmp_path: Path, new: str, code: int, lines: list[str]) -> None:
    """0 when nothing does, 3 when something does."""
    ended = plan(tmp_path, OLD, new)

    assert "" == ended.stderr
    assert (code, lines) == (ended.returncode, ended.stdout.splitlines())


def test_json_holds_every_change(tmp_path: Path) -> None:
    """And the sum of it."""
    ended = plan(tmp_path, OLD, NARROWER, "--format", "json")

    expected = {
        "task_type": "a", "path": "parameters.n.maximum", "kind": "narrowed", "audience": "callers",
        "verdict": "breaking", "detail": "from 9 to 8",
    }  # fmt: skip
    assert 3 == ended.returncode
    assert {"is_breaking": True, "changes": [expected]} == json.loads(ended.stdout)


def test_the_issues_of_both_files_are_listed(tmp_path: Path) -> None:
    """And nothing is compared."""
    ended = plan(tmp_path, "version: 1\n", "version: 2\ntasks: {}\n")

    assert (2, "") == (ended.returncode, ended.stdout)
    assert [
        "old.yaml:1:1: found no key `tasks`, wanted `tasks`: a mapping",
        "new.yaml:1:10: version: found 2, wanted 1",
        "gateway: 2 issues",
    ] == ended.stderr.splitlines()
