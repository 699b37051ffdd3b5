"""`gateway show` as a user meets it; the line it prints works when it is pasted."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.harness import ROOT, clean_environment, finish, need


def show(*options: str) -> subprocess.CompletedProcess[str]:
    """Run `gateway show`."""
    argv = [sys.executable, "-m", "gateway", "show", *options]
    return subprocess.run(
        argv, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=30, check=False
    )


def test_text_ends_with_a_line_to_paste() -> None:
    """For the gateway that `make run` starts."""
    ended = show("sii.sync_f29")

    assert (0, "") == (ended.returncode, ended.stderr)
    assert "sii.sync_f29: Sync form 29" == ended.stdout.splitlines()[0]
    assert ended.stdout.endswith(
        "curl -sS http://127.0.0.1:8000/api/celery/tasks/launch/sii.sync_f29 -H 'Content-Type: application/json' "
        """-d '{"company_id":"76123456-7","year":2025}'\n"""
    )


def test_json_holds_the_parameters() -> None:
    """With what checks each of them."""
    shown = json.loads(show("sii.sync_f29", "--format", "json").stdout)

    year = {
        "name": "year", "type": "integer", "required": True, "secret": False,
        "description": "Calendar year of the returns.",
        "checked_by_msgspec": {"type": "integer", "minimum": 2000, "maximum": 2100}, "checked_by_jsonschema_rs": True,
    }  # fmt: skip
    assert year == shown["parameters"][1]


def test_an_unknown_task_type_is_a_sentence_with_the_near_misses() -> None:
    """And exit code 2."""
    ended = show("sii.sync_f92")

    expected = "gateway: no task type 'sii.sync_f92'; did you mean 'sii.sync_f29'?\n"
    assert (2, "", expected) == (ended.returncode, ended.stdout, ended.stderr)


def test_a_broken_file_is_its_issues(tmp_path: Path) -> None:
    """And exit code 2."""
    ended = show("a", "--config", str(tmp_path / "gone.yaml"))

    assert (2, "gateway: 1 issue") == (ended.returncode, ended.stderr.splitlines()[-1])


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("task_type", ["sii.sync_documents", "sii.sync_f29_all"])
def test_the_line_launches_the_task(client: httpx.Client, gateway_url: str, task_type: str) -> None:
    """Pasted into a shell, to the end of the task."""
    line = show(task_type, "--url", gateway_url).stdout.splitlines()[-1]

    pasted = subprocess.run([need("bash"), "-c", line], capture_output=True, text=True, timeout=20, check=True)

    assert "SUCCESS" == finish(client, json.loads(pasted.stdout)["task_id"])["status"]
