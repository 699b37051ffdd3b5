"""`gateway check` as an operator or a CI job runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import ROOT, clean_environment

INVALID = ROOT / "tests" / "data" / "invalid"


def check(*arguments: str | Path, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    argv = [sys.executable, "-m", "gateway", "check", *map(str, arguments)]
    env = clean_environment() | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=20, check=False)


def test_a_sound_file_is_one_line() -> None:
    """Exit code 0."""
    ended = check("tasks.yaml")

    assert (0, "tasks.yaml: 4 task types, no issue\n") == (ended.returncode, ended.stdout)


def test_an_issue_is_shown_with_its_line_and_a_caret() -> None:
    """Exit code 1, and a count."""
    ended = check(INVALID / "unknown_task_key.yaml")

    assert 1 == ended.returncode
    assert [
        f"{INVALID}/unknown_task_key.yaml:4:5: tasks.shop.order.qeue: found an unknown key, wanted one of access, "
        "caller_options, concurrency, delivery, deprecated, description, examples, expires_s, … (did you mean `queue`?)",
        "    4 |     qeue: fast",
        "            ^",
        "",
        "1 issue in 1 file",
    ] == ended.stdout.splitlines()


@pytest.mark.parametrize("path", ["nowhere.yaml", "tests/data"])
def test_what_cannot_be_read_is_exit_code_2(path: str) -> None:
    """A missing file, a folder without any."""
    ended = check("tasks.yaml", path)

    assert 2 == ended.returncode
    assert f"{path}:1:1: found" in ended.stdout
    assert "" == ended.stderr


def test_several_paths_are_checked_each_by_itself() -> None:
    """Sound ones are named beside the others' issues."""
    ended = check("tasks.yaml", INVALID / "norway.yaml", INVALID / "anchor.yaml")

    assert 1 == ended.returncode
    assert ended.stdout.startswith("tasks.yaml: 4 task types, no issue\n")
    assert ended.stdout.endswith("2 issues in 2 files\n")


def test_json_is_for_scripts() -> None:
    """Every member of every issue."""
    ended = check("--format", "json", INVALID / "norway.yaml")

    assert {
        "count": 1,
        "issues": [
            {
                "file": f"{INVALID}/norway.yaml",
                "line": 4,
                "column": 18,
                "path": "tasks.shop.order.description",
                "found": "no, a word that YAML 1.1 reads as a boolean",
                "wanted": "a JSON value, or a quoted string",
                "hint": None,
            }
        ],
    } == json.loads(ended.stdout)


def test_sarif_is_for_code_hosts() -> None:
    """One result per issue, with its region."""
    log = json.loads(check("--format", "sarif", INVALID / "norway.yaml").stdout)
    (run,) = log["runs"]
    (result,) = run["results"]

    assert "2.1.0" == log["version"]
    assert run["tool"]["driver"]["rules"][0]["id"] == result["ruleId"]
    assert {"startLine": 4, "startColumn": 18} == result["locations"][0]["physicalLocation"]["region"]
    assert (INVALID / "norway.yaml").as_uri() == result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert "error" == result["level"]
    assert result["message"]["text"].startswith("tasks.shop.order.description: found no,")


def test_sarif_names_files_as_uris(tmp_path: Path) -> None:
    """A relative path stays one, so that a code host finds it in the repository; a space is escaped."""
    (tmp_path / "my tasks.yaml").write_text("version: 2\ntasks: {}\n")

    (run,) = json.loads(check("--format", "sarif", "my tasks.yaml", folder=tmp_path).stdout)["runs"]

    assert "my%20tasks.yaml" == run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]


def test_a_file_of_ten_mistakes_is_judged_before_anybody_waits(tmp_path: Path) -> None:
    """Half a second of processor time is what is wanted; a slow machine is given three."""
    (tmp_path / "ten.yaml").write_text("version: 1\ntasks:\n" + "".join(f"  a{n}: {{qeue: x}}\n" for n in range(10)))
    before = os.times()

    ended = check(tmp_path / "ten.yaml")

    after = os.times()
    assert ended.stdout.endswith("\n10 issues in 1 file\n")
    assert after.children_user + after.children_system - before.children_user - before.children_system < 3


def test_the_check_needs_neither_broker_nor_web_server() -> None:
    """Their libraries are not even imported, which is what keeps it fast."""
    program = (
        "import sys; from gateway.cli import check; from gateway.loading import load_catalog; "
        "print(sorted({'celery', 'kombu', 'redis', 'litestar', 'uvicorn'} & sys.modules.keys()))"
    )

    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "[]\n" == ended.stdout


def test_the_editor_schema_is_printed() -> None:
    """As JSON, on standard output."""
    argv = [sys.executable, "-m", "gateway", "schema"]

    schema = json.loads(subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout)

    assert ("tasks.yaml", "#/$defs/TasksFile") == (schema["title"], schema["$ref"])
    assert "Celery queue" in schema["$defs"]["TaskSpec"]["properties"]["queue"]["description"]
